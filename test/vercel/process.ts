import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Everything the process prints from now on. */
export function collectLog(child: ChildProcess): () => string {
  const chunks: string[] = [];
  child.stdout?.on("data", (chunk) => chunks.push(String(chunk)));
  child.stderr?.on("data", (chunk) => chunks.push(String(chunk)));
  return () => chunks.join("");
}

/** Ends the process with SIGTERM, and with SIGKILL after the grace period. */
export async function stopProcess(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  try {
    await exited;
  } finally {
    clearTimeout(timer);
  }
}

/** A forgotten file shows only where Node finds no other copy of it further up. */
export function refuseNodeModulesAbove(folder: string): void {
  for (let at = dirname(folder); at !== dirname(at); at = dirname(at)) {
    const modules = join(at, "node_modules");
    if (existsSync(modules))
      throw new Error(`the function would find packages that are not deployed: ${modules}`);
  }
}
