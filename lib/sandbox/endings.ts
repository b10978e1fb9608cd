import { constants } from "node:os";

import type { ServerLimits } from "../configuration/options.ts";
import { REFUSED_CODE, REFUSED_WORD } from "./limits.ts";
import type { Sandbox } from "./sandbox.ts";

/** How a process ended, and its last words. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Why a sandbox did not start its server; undefined if it did, or if that cannot be told. */
export function failedStart(sandbox: Sandbox | undefined, { code, stderr }: Ending): string | undefined {
  if (!sandbox || code === null) return undefined;
  const { limits, wrapper } = sandbox;
  const refused = refusedLimit(code, stderr);
  if (refused !== undefined && limits[refused] !== undefined) {
    return `this host does not allow the limit ${refused} of ${limits[refused]}`;
  }
  // Without anything before it, the server itself has ended like that.
  const isLaunched = wrapper.length > 0 || Object.keys(limits).length > 0;
  return isLaunched ? NOT_RUN[code] : undefined;
}

/** What shells, `env`, `nice`, `timeout` and containers exit with. Source: POSIX.1-2024, 2.8.2. */
const NOT_RUN: Readonly<Record<number, string>> = {
  126: "exit code 126: its program cannot be executed",
  127: "exit code 127: no such program",
};

/** By how prlimit calls them. */
const OF_PRLIMIT: Readonly<Record<string, keyof ServerLimits>> = {
  CPU: "cpuSeconds",
  AS: "addressSpaceMiB",
  NOFILE: "openFiles",
  FSIZE: "fileMiB",
  CORE: "coreMiB",
};

function refusedLimit(code: number, stderr: string): keyof ServerLimits | undefined {
  const [, byShell] = new RegExp(`^${REFUSED_WORD} (\\w+)$`, "m").exec(stderr) ?? [];
  // What a server may have written itself is looked for among the names that there are.
  if (code === REFUSED_CODE) return Object.values(OF_PRLIMIT).find((name) => name === byShell);
  const [, byPrlimit = ""] = /^prlimit: failed to set the (\w+) resource limit/m.exec(stderr) ?? [];
  return code === 1 ? OF_PRLIMIT[byPrlimit] : undefined;
}

/** Which limit ended a process, as far as that can be told; undefined for none. */
export function endedByLimit(limits: ServerLimits | undefined, ending: Ending): string | undefined {
  const { cpuSeconds, addressSpaceMiB, heapMiB, fileMiB } = limits ?? {};
  const died = (...signals: readonly NodeJS.Signals[]): boolean => signals.some((one) => diedOf(one, ending));
  if (cpuSeconds !== undefined && died("SIGXCPU")) return `used more than ${cpuSeconds} seconds of CPU`;
  if (cpuSeconds !== undefined && died("SIGKILL")) {
    return `used more than ${cpuSeconds} seconds of CPU, or the host ran out of memory`;
  }
  if (fileMiB !== undefined && died("SIGXFSZ")) return `wrote a file of more than ${fileMiB} MiB`;
  if (!died(...CRASHES)) return undefined;
  if (heapMiB !== undefined && /heap out of memory/.test(ending.stderr)) {
    return `used more than its heap of ${heapMiB} MiB`;
  }
  if (addressSpaceMiB === undefined) return undefined;
  return `perhaps for want of address space, of which it may have ${addressSpaceMiB} MiB`;
}

/** What programs die of that get no memory. */
const CRASHES: readonly NodeJS.Signals[] = ["SIGABRT", "SIGTRAP", "SIGSEGV", "SIGBUS", "SIGILL"];

/** A shell or a container reports the signal of its program as 128 and its number. Source: POSIX.1-2024, 2.8.2. */
function diedOf(name: NodeJS.Signals, { code, signal }: Ending): boolean {
  return signal === name || code === 128 + constants.signals[name];
}
