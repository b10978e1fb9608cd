import { availableParallelism } from "node:os";

import { nextToEnter, whoGivesWay } from "./capacity/fairness.ts";
import type { Waiting } from "./capacity/fairness.ts";
import { createUsage } from "./capacity/usage.ts";
import type { Claim, Usage } from "./capacity/usage.ts";
import { MayflyError } from "./errors.ts";
import { memoryBytes } from "./memory.ts";
import { MAX_TIMER_MS, once } from "./promises.ts";

/** Places for processes. A place is held from before the spawn until the process is gone. */
export interface Capacity {
  /**
   * Waits for a place of the host and of the server, in turn with the other callers.
   * @returns how to give the place back; repeated calls count once
   * @throws OVERLOADED, SERVER_OVERLOADED if the queue is full, or the wait too long; the signal's reason if that fires
   */
  acquire(claim: Claim, signal: AbortSignal): Promise<() => void>;
}

export interface CapacityLimits {
  /** Places. */
  readonly maxProcesses: number;
  /** Requests that may wait for one. @default as many as there are places */
  readonly maxQueued?: number | undefined;
  /** Milliseconds that a request may wait. @default 5000 */
  readonly queueTimeoutMs?: number | undefined;
  /** Whether there are several callers: none of them gets all places then. @default false */
  readonly isShared?: boolean | undefined;
}

/** Places that a process takes from the machine: it is mostly idle, so eight share a core; 128 MiB each. */
const PROCESSES_PER_CORE = 8;
const BYTES_PER_PROCESS = 128 * 1024 ** 2;
const DEFAULT_QUEUE_TIMEOUT_MS = 5000;

/** 8 for each core, but at most what half the memory holds at 128 MiB each, and at least 4. */
export function defaultMaxProcesses(): number {
  const byMemory = Math.floor(memoryBytes() / 2 / BYTES_PER_PROCESS);
  return Math.max(4, Math.min(availableParallelism() * PROCESSES_PER_CORE, byMemory));
}

interface Queued extends Waiting {
  readonly enter: () => void;
  readonly refuse: () => void;
}

export function createCapacity(limits: CapacityLimits): Capacity {
  const { maxProcesses, maxQueued = maxProcesses, queueTimeoutMs = DEFAULT_QUEUE_TIMEOUT_MS } = limits;
  const usage = createUsage(maxProcesses, limits.isShared);
  const queue = new Set<Queued>();
  const refusal = (claim: Claim): MayflyError => overloaded(claim, maxProcesses, usage);
  const makeRoom = (claim: Claim): void => {
    if (claim.isSuccessor || lengthOf(queue) < maxQueued) return;
    const last = whoGivesWay(claim, queue, usage);
    if (!last) throw refusal(claim);
    last.refuse();
  };
  return {
    async acquire(claim, signal) {
      signal.throwIfAborted();
      if (usage.hasRoom(claim)) usage.take(claim);
      else {
        makeRoom(claim);
        const timeoutMs = Math.min(queueTimeoutMs, MAX_TIMER_MS);
        await turnOf(claim, { queue, usage, signal, timeoutMs, refusal });
      }
      return once(() => {
        usage.giveBack(claim);
        letIn(queue, usage, claim.principal);
      });
    },
  };
}

/** More than one, as with one place the shares of all callers grow. */
function letIn(queue: ReadonlySet<Queued>, usage: Usage, before: string): void {
  for (let next = nextToEnter(queue, usage, before); next; next = nextToEnter(queue, usage, before))
    next.enter();
}

/** Those that were let in before do not count. */
function lengthOf(queue: ReadonlySet<Queued>): number {
  return [...queue].filter(({ claim }) => !claim.isSuccessor).length;
}

interface Wait {
  readonly queue: Set<Queued>;
  readonly usage: Usage;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly refusal: (claim: Claim) => MayflyError;
}

/** Resolves with the place taken. */
function turnOf(claim: Claim, { queue, usage, signal, timeoutMs, refusal }: Wait): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (result: () => void) => () => {
      queue.delete(queued);
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      result();
    };
    const enter = settle(() => {
      usage.take(claim);
      resolve();
    });
    const leave = settle(() => reject(signal.reason as Error));
    const refuse = settle(() => reject(refusal(claim)));
    const timer = setTimeout(refuse, timeoutMs);
    const queued = { claim, enter, refuse };
    queue.add(queued);
    signal.addEventListener("abort", leave);
  });
}

/** Names what there is none of: for its server, or its caller, alone a request waits where the host has room. */
function overloaded(claim: Claim, maxProcesses: number, usage: Usage): MayflyError {
  const { name, maxProcesses: ofServer = maxProcesses } = claim.server;
  if (!usage.hostHasRoom()) return new MayflyError("OVERLOADED", { values: { limit: maxProcesses } });
  if (!usage.serverHasRoom(claim)) {
    return new MayflyError("SERVER_OVERLOADED", { values: { limit: ofServer, server: name } });
  }
  if (usage.callerHasRoom(claim)) return new MayflyError("OVERLOADED", { values: { limit: maxProcesses } });
  return new MayflyError("CALLER_OVERLOADED", { values: { limit: usage.of(claim.principal) } });
}
