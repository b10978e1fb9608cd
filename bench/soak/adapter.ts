import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import { within } from "../../test/support/deadline.ts";
import { descriptorsOf, zombiesOf } from "../../test/support/processes.ts";
import { ROOT } from "../servers.ts";
import { openDoor } from "./client.ts";
import type { Door } from "./client.ts";

/** The built adapter as a process of its own, and what can be seen of it from outside. */
export interface Adapter {
  readonly name: string;
  readonly door: Door;
  /** What it logged as an error, and what it printed that is no line of its log. */
  readonly complaints: readonly string[];
  /** @param collect whether what is unused is removed first */
  look(collect: boolean): Promise<Look>;
  /** Entries of its TMPDIR but for caches, which outlive a process on purpose. */
  temporaryFiles(): Promise<string[]>;
  /** @returns how it ended after SIGTERM */
  stop(): Promise<string>;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

/** Bytes, but for the descriptors and zombies. */
export interface Look {
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  readonly descriptors: number;
  readonly zombies: number;
}

export function mib(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}

export interface AdapterOptions {
  readonly name: string;
  readonly folder: string;
  readonly config: object;
  readonly args: readonly string[];
  /** MiB. */
  readonly maxHeap: number;
  /** Whether its HOME can be written; else each server gets one of its own in TMPDIR. */
  readonly hasHome: boolean;
}

const MAIN = join(ROOT, "dist", "cli", "main.js");
const PROBE = fileURLToPath(new URL("memory-probe.mjs", import.meta.url));
const KEY = "the-key-of-the-soak";
const WAIT_MS = 60_000;

export async function startAdapter(options: AdapterOptions): Promise<Adapter> {
  const { name, folder, config, args, maxHeap } = options;
  const [temporary, home, file] = ["tmp", "home", "mcp.json"].map((part) => join(folder, `${name}-${part}`));
  if (!temporary || !home || !file) throw new Error("no folders");
  await mkdir(temporary);
  if (options.hasHome) await mkdir(home);
  await writeFile(file, JSON.stringify(config));
  const flags = [`--max-old-space-size=${maxHeap}`, "--expose-gc", "--import", PROBE];
  const words = ["--config", file, "--port", "0", "--auth-key", KEY, "--log-level", "warn", ...args];
  const child = spawn(process.execPath, [...flags, MAIN, ...words], {
    env: { PATH: process.env["PATH"], TMPDIR: temporary, HOME: home, STATE_SECRET: "s".repeat(32) },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const complaints = complaintsOf(child);
  const url = await within(urlIn(child), WAIT_MS, `the adapter ${name} listens`);
  return {
    name,
    door: openDoor(url, KEY),
    complaints,
    look: (collect) => look(child, collect),
    temporaryFiles: async () =>
      (await readdir(temporary)).filter((entry) => !entry.startsWith("mayfly-cache-")),
    stop: () => stop(child),
    kill: () => void child.kill("SIGKILL"),
  };
}

function urlIn(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    // Goes on reading: the adapter prints an example later.
    createInterface({ input: child.stdout as Readable }).on("line", (line) => {
      const [, url] = /^Mayfly listens on (http:\/\/[^/\s]+)\//.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => reject(new Error("the adapter ended before it listened; is dist/ built?")));
  });
}

const ERROR_LEVEL = 50;
/** Lines that are kept: enough to see what goes wrong. */
const MAX_COMPLAINTS = 200;

function complaintsOf(child: ChildProcess): readonly string[] {
  const complaints: string[] = [];
  const complain = (line: string): void => {
    if (complaints.length < MAX_COMPLAINTS) complaints.push(line);
  };
  createInterface({ input: child.stderr as Readable }).on("line", (line) => {
    const level = levelOf(line);
    if (level === undefined || level >= ERROR_LEVEL) complain(line);
  });
  child.once("exit", (code, signal) => {
    if (code !== 0) complain(`the adapter ended with ${signal ?? `exit code ${code}`}`);
  });
  return complaints;
}

function levelOf(line: string): number | undefined {
  try {
    return (JSON.parse(line) as { readonly level?: number }).level;
  } catch {
    return undefined;
  }
}

async function look(child: ChildProcess, collect: boolean): Promise<Look> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null)
    throw new Error("the adapter is gone");
  const answer = once(child, "message") as Promise<[NodeJS.MemoryUsage]>;
  child.send({ collect });
  const [{ rss, heapUsed, external }] = await within(answer, WAIT_MS, "the adapter tells of its memory");
  return {
    rss,
    heap: heapUsed,
    external,
    descriptors: descriptorsOf(pid) ?? 0,
    zombies: zombiesOf(pid).length,
  };
}

async function stop(child: ChildProcess): Promise<string> {
  if (child.exitCode !== null || child.signalCode !== null) return "it had ended before";
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  child.kill("SIGTERM");
  const [code, signal] = await within(exited, WAIT_MS, "the adapter stops");
  return signal ?? `exit code ${code}`;
}
