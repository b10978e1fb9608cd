import { setTimeout as delay } from "node:timers/promises";

import { processesWith } from "../../test/support/processes.ts";
import { mib } from "./adapter.ts";
import type { Adapter, Look } from "./adapter.ts";
import { jobOf } from "./job.ts";
import type { Load } from "./job.ts";
import { KINDS, WEIGHTED } from "./kinds.ts";
import type { Ledger } from "./ledger.ts";
import { quiet } from "./quiet.ts";
import { createRandom } from "./random.ts";

/** What was seen of the adapters, in their order. */
export interface Soaked {
  /** Quiet, after the first round: what is compiled and kept for the next time does not count. */
  readonly before: readonly Look[];
  readonly during: readonly (readonly Look[])[];
  readonly after: readonly Look[];
  /** What had not ended in time when the load had stopped. */
  readonly left: readonly string[];
}

/** Milliseconds between lines. */
const LINE_MS = 10_000;

export async function soak(load: Load): Promise<Soaked> {
  const forgotten: string[] = [];
  const kinds = Object.keys(KINDS);
  let index = 0;
  await atOnce(load, forgotten, () => {
    const kind = kinds[index];
    return kind === undefined ? undefined : { index: index++, kind };
  });
  const early = await quiet(load, forgotten);
  const before = await lookAt(load.adapters, true);
  const until = performance.now() + load.forMs;
  const during: (readonly Look[])[] = [];
  const watching = watch(load, during, until);
  await atOnce(load, forgotten, () => {
    if (performance.now() >= until || load.adapters.some(hasEnded)) return undefined;
    const kind = createRandom(load.seed + index).pick(WEIGHTED);
    return { index: index++, kind };
  });
  await watching;
  const left = [...early, ...(await quiet(load, forgotten))];
  return { before, during, after: await settledLook(load.adapters, before), left };
}

/** Milliseconds for connections to close, and for files that are just being read. */
const SETTLE_MS = 5000;
const LOOK_AGAIN_MS = 100;

/** The first look without more descriptors than before, or the last one there is time for. */
async function settledLook(adapters: readonly Adapter[], before: readonly Look[]): Promise<readonly Look[]> {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const looks = await lookAt(adapters, true);
    const isSettled = looks.every(({ descriptors }, at) => descriptors <= (before[at]?.descriptors ?? 0));
    if (isSettled || performance.now() >= end) return looks;
    await delay(LOOK_AGAIN_MS);
  }
}

function hasEnded({ complaints }: Adapter): boolean {
  return complaints.some((line) => line.startsWith("the adapter ended"));
}

interface Next {
  readonly index: number;
  readonly kind: string;
}

async function atOnce(load: Load, forgotten: string[], next: () => Next | undefined): Promise<void> {
  const work = async (): Promise<void> => {
    for (let one = next(); one; one = next()) {
      const job = jobOf(load, one.index, forgotten);
      const run = KINDS[one.kind]?.run(job) ?? Promise.reject(new Error("no such kind"));
      await load.ledger.enter(one.index, one.kind, run);
    }
  };
  await Promise.all(Array.from({ length: load.concurrency }, work));
}

async function watch(load: Load, during: (readonly Look[])[], until: number): Promise<void> {
  const startedAt = performance.now();
  while (performance.now() < until && !load.adapters.some(hasEnded)) {
    await delay(Math.max(0, Math.min(LINE_MS, until - performance.now())));
    const looks = await lookAt(load.adapters, false).catch(() => undefined);
    if (!looks) return;
    during.push(looks);
    console.log(lineOf(load, looks, performance.now() - startedAt));
  }
}

async function lookAt(adapters: readonly Adapter[], collect: boolean): Promise<readonly Look[]> {
  return Promise.all(adapters.map((adapter) => adapter.look(collect)));
}

function lineOf({ ledger, token }: Load, looks: readonly Look[], ms: number): string {
  const { answered, refused, failed } = ledger.total();
  const seconds = `${Math.round(ms / 1000)} s`.padStart(6);
  const requests = `${answered} as expected, ${refused} refused for lack of room, ${failed} wrong`;
  const alive = `${processesWith(token).length} processes`;
  const seen = looks.map(
    ({ rss, heap, external, descriptors }) =>
      `RSS ${mib(rss)}, heap ${mib(heap)}, external ${mib(external)} MiB, ${descriptors} files`,
  );
  const wrong = failed > 0 ? [wrongOf(ledger)] : [];
  return [seconds, requests, alive, ...seen, ...wrong].join(" | ");
}

function wrongOf({ accounts }: Ledger): string {
  const wrong = Object.entries(accounts).filter(([, { failed }]) => failed > 0);
  return wrong.map(([kind, { failed }]) => `${failed} of "${kind}"`).join(", ");
}
