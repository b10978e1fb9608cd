import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

import { once } from "../promises.ts";
import { isAlive, startOf } from "./stat.ts";

/**
 * Names a host of processes, for whoever finds what it left behind when it was killed: the namespace in which its
 * process id counts, that id, when its process was started, and something random.
 */
export function createHostId(): string {
  const { pid } = process;
  return [namespace(), pid, startOf(pid) ?? UNKNOWN_START, randomBytes(4).toString("hex")].join("-");
}

/** How every name of a host looks. */
export const HOST_ID = "[0-9a-f]{8}-\\d+-\\d+-[0-9a-f]{8}";

/** What became of a host: `unknown` where its process id cannot be looked up from here. */
export type Fate = "alive" | "gone" | "unknown";

/** @param id as {@link createHostId} made it, perhaps in another process */
export function fateOf(id: string): Fate {
  const [theirs, pid = "", start] = id.split("-");
  if (theirs !== namespace()) return "unknown";
  if (start === UNKNOWN_START) return isAlive(Number(pid)) ? "alive" : "gone";
  return startOf(Number(pid)) === start ? "alive" : "gone";
}

/** Where the system does not tell when a process was started. */
const UNKNOWN_START = "0";

/** A container that is started again has the ids of before, but other processes. */
const namespace = once((): string => {
  const boot = readable(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1"));
  const pids = readable(() => readlinkSync("/proc/self/ns/pid"));
  const all = JSON.stringify([hostname(), boot, pids]);
  return createHash("sha256").update(all).digest("hex").slice(0, 8);
});

function readable(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
