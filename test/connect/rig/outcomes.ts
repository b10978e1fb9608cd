import { table } from "../../../bench/statistics.ts";
import { within } from "../../support/deadline.ts";
import type { Scope } from "../../support/files.ts";
import { sharedScope } from "../../support/shared-scope.ts";
import { CHECKS, NotApplicable, comparable } from "./checks.ts";
import type { Check } from "./checks.ts";
import type { ClientKind, Connected, Way } from "./clients.ts";
import type { Remote } from "./remotes.ts";

/** What came of a check: what was seen, or why nothing was. */
export type Outcome = { readonly seen: string } | { readonly reason: string; readonly isApplicable: boolean };

/** By the titles of the checks. */
export type Outcomes = ReadonlyMap<string, Outcome>;

type ByClient = ReadonlyMap<string, Outcomes>;

const WAIT_MS = 20_000;
const ERA = "era";
/** Its outcome stands for all where there is no connection. */
const CONNECT = "connect";

/** Connects to a remote of its own, and goes through all checks on this one connection. */
export async function outcomesOf(
  kind: ClientKind,
  wayTo: (url: URL) => Way,
  remote: Remote,
): Promise<Outcomes> {
  const scope = sharedScope();
  try {
    return await checked(scope, kind, wayTo(await remote.start(scope)), remote);
  } finally {
    await scope.end();
  }
}

async function checked(scope: Scope, kind: ClientKind, way: Way, remote: Remote): Promise<Outcomes> {
  const outcomes = new Map<string, Outcome>();
  const connecting = kind.connect(way);
  try {
    const client = await within(connecting, WAIT_MS, "the client connects");
    scope.after(() => within(client.close(), WAIT_MS, "the client closes"));
    outcomes.set(ERA, { seen: client.isModern ? "modern" : "legacy" });
    outcomes.set(CONNECT, { seen: comparable([client.instructions, client.capabilities]) });
    for (const check of CHECKS) outcomes.set(check.title, await outcomeOf(scope, check, client, remote));
  } catch (error) {
    outcomes.set(CONNECT, failed(error));
    // Late is as bad as never, but it must be closed.
    connecting.then((client) => client.close()).catch(() => undefined);
  }
  return outcomes;
}

async function outcomeOf(t: Scope, check: Check, client: Connected, { tools }: Remote): Promise<Outcome> {
  try {
    return { seen: comparable(await within(check.run(client, tools, t), WAIT_MS, check.title)) };
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): Outcome {
  return {
    reason: String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "",
    isApplicable: !(error instanceof NotApplicable),
  };
}

/**
 * What a direct connection can do and the other cannot, or does in another way. Where the client itself cannot reach
 * the remote, since they are of different eras, it is to do what another client can; where it chooses another era over
 * stdio, it is to do the same in whatever way.
 */
export function shortcomings(title: string, direct: ByClient, through: Outcomes): readonly string[] {
  const own = direct.get(title);
  const isSameEra = seenOf(own, ERA) === seenOf(through, ERA);
  if (own && isConnected(own)) {
    return compared(own, through, (found, expected) => !isSameEra || found === expected);
  }
  const other = [...direct.values()].find(isConnected);
  return other ? compared(other, through, () => true) : ["no client can reach it"];
}

function compared(
  direct: Outcomes,
  through: Outcomes,
  isGood: (found: string, expected: string) => boolean,
): readonly string[] {
  return [...direct].flatMap(([title, expected]) => {
    const found = through.get(title);
    if (!("seen" in expected) || title === ERA) return [];
    if (!found) return [`${title}: there was no connection`];
    if (!("seen" in found)) return found.isApplicable ? [`${title}: ${found.reason}`] : [];
    return isGood(found.seen, expected.seen)
      ? []
      : [`${title}:\n  ${found.seen}\n  directly: ${expected.seen}`];
  });
}

function isConnected(outcomes: Outcomes): boolean {
  return seenOf(outcomes, CONNECT) !== undefined;
}

function seenOf(outcomes: Outcomes | undefined, title: string): string | undefined {
  const outcome = outcomes?.get(title);
  return outcome && "seen" in outcome ? outcome.seen : undefined;
}

/** One remote: a line for each check, and in a column for each client what it sees directly and through. */
export function matrixTable(title: string, direct: ByClient, through: ByClient): string {
  const names = [...direct.keys()];
  const checks = [CONNECT, ...CHECKS.map((check) => check.title)];
  const rows = checks.map((check) =>
    [check].concat(
      names.map((name) => [direct, through].map((by) => mark(by.get(name)?.get(check))).join(" ")),
    ),
  );
  const lines = [...reasons("directly", direct), ...reasons("through", through)];
  return [`\n${title} (directly, through)`, table(["", ...names], rows), ...lines].join("\n");
}

function mark(outcome: Outcome | undefined): string {
  if (!outcome) return " ";
  return "seen" in outcome ? "+" : outcome.isApplicable ? "-" : ".";
}

function reasons(way: string, outcomes: ByClient): string[] {
  const lines = [...outcomes].flatMap(([name, byCheck]) =>
    [...byCheck].flatMap(([check, outcome]) =>
      "reason" in outcome ? [`  ${name} ${way}, ${check}: ${outcome.reason}`] : [],
    ),
  );
  return lines.map((line) => (line.length > 200 ? `${line.slice(0, 200)}…` : line));
}
