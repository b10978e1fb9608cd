import { mib } from "./adapter.ts";
import type { Adapter, Look } from "./adapter.ts";
import type { Account, Ledger } from "./ledger.ts";
import type { Soaked } from "./load.ts";
import { processesWith } from "../../test/support/processes.ts";
import { median, table } from "../statistics.ts";

export interface Verdict {
  readonly text: string;
  readonly faults: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
}

const MIB = 1024 ** 2;
/** What the heap may keep for good after the first round: compiled code, and caches that have a limit. */
const HEAP_GROWTH = 8 * MIB;
/** The allocator keeps pages for the next time; beyond that, the last third needs what the first needed. */
const RSS_FACTOR = 1.3;
const RSS_GROWTH = 32 * MIB;

/** Stops the adapters, and says what is wrong. */
export async function judge(
  run: Soaked,
  adapters: readonly Adapter[],
  ledger: Ledger,
  token: string,
): Promise<Verdict> {
  const exits = await Promise.all(adapters.map((adapter) => adapter.stop()));
  const faults = [
    ...ledger.failures.map(({ index, kind, error }) => `request ${index}, ${kind}: ${error}`),
    ...run.left.map((what) => `left behind: ${what}`),
    ...adapters.flatMap((adapter, at) => [
      ...faultsOf(run, at).map((fault) => `${adapter.name}: ${fault}`),
      ...adapter.complaints.map((line) => `${adapter.name} complains: ${line}`),
      ...(exits[at] === "exit code 0" ? [] : [`${adapter.name}: SIGTERM led to ${exits[at]}`]),
    ]),
    ...processesWith(token).map(({ pid }) => `still alive: process ${pid}`),
  ];
  const text = [
    accountsOf(ledger),
    ...adapters.map(({ name }, at) => memoryOf(name, run, at)),
    lastWord(ledger, faults),
  ];
  const figures = { total: ledger.total(), accounts: ledger.accounts, memory: run };
  return { text: text.join("\n\n"), faults, figures };
}

function faultsOf({ before, during, after }: Soaked, at: number): string[] {
  const [first, last] = [before[at], after[at]];
  if (!first || !last) return ["there is nothing to compare"];
  const [early, late] = thirds(during, at);
  const rssLimit = early * RSS_FACTOR + RSS_GROWTH;
  return [
    ...(last.descriptors > first.descriptors
      ? [`${last.descriptors} descriptors are open, and not ${first.descriptors}`]
      : []),
    ...(last.zombies > 0 ? [`${last.zombies} zombies`] : []),
    ...(last.heap > first.heap + HEAP_GROWTH
      ? [`the heap has grown from ${mib(first.heap)} to ${mib(last.heap)} MiB`]
      : []),
    ...(late > rssLimit ? [`the RSS has grown from ${mib(early)} to ${mib(late)} MiB`] : []),
  ];
}

/** The medians of the RSS in the first and in the last third. */
function thirds(during: Soaked["during"], at: number): readonly [early: number, late: number] {
  const all = during.map((looks) => looks[at]?.rss ?? 0);
  const count = Math.ceil(all.length / 3);
  return [median(all.slice(0, count)), median(all.slice(-count))];
}

function accountsOf({ accounts }: Ledger): string {
  const rows = Object.entries(accounts).map(([kind, { answered, refused, failed }]: [string, Account]) => [
    kind,
    String(answered),
    String(refused),
    String(failed),
  ]);
  return table(["kind", "as expected", "refused for lack of room", "wrong"], rows);
}

function memoryOf(name: string, { before, during, after }: Soaked, at: number): string {
  const [early, late] = thirds(during, at);
  const shown = ({ rss, heap, external, descriptors }: Look): string =>
    `RSS ${mib(rss)}, heap ${mib(heap)}, external ${mib(external)} MiB, ${descriptors} descriptors`;
  const [first, last] = [before[at], after[at]];
  return [
    `${name}, quiet after the first round: ${first ? shown(first) : "?"}`,
    `${name}, quiet at the end:            ${last ? shown(last) : "?"}`,
    `${name}, RSS under load:              ${mib(early)} MiB in the first third, ${mib(late)} in the last`,
  ].join("\n");
}

const SHOWN_FAULTS = 40;

function lastWord(ledger: Ledger, faults: readonly string[]): string {
  const { answered, refused, failed } = ledger.total();
  const requests = `${answered + refused + failed} in all: ${answered} as expected, ${refused} refused for lack of room, ${failed} wrong`;
  if (faults.length === 0) return `${requests}.\nNothing is left, nothing has grown.`;
  return [`${requests}.`, `${faults.length} faults:`, ...faults.slice(0, SHOWN_FAULTS)].join("\n");
}
