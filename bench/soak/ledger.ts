import { Refused } from "./client.ts";

/** What has become of the requests of one kind. */
export interface Account {
  answered: number;
  /** For lack of room, and told so. */
  refused: number;
  failed: number;
}

/** A request that was not answered as it must be. */
export interface Failure {
  readonly index: number;
  readonly kind: string;
  readonly error: string;
}

/** What has become of all requests. */
export interface Ledger {
  readonly accounts: Readonly<Record<string, Account>>;
  readonly failures: readonly Failure[];
  /** Waits for the request, and never rejects. */
  enter(index: number, kind: string, work: Promise<void>): Promise<void>;
  total(): Account;
}

export function createLedger(kinds: readonly string[]): Ledger {
  const accounts = Object.fromEntries(kinds.map((kind) => [kind, { answered: 0, refused: 0, failed: 0 }]));
  const failures: Failure[] = [];
  return {
    accounts,
    failures,
    async enter(index, kind, work) {
      const account = (accounts[kind] ??= { answered: 0, refused: 0, failed: 0 });
      try {
        await work;
        account.answered += 1;
      } catch (error) {
        if (error instanceof Refused) account.refused += 1;
        else {
          account.failed += 1;
          failures.push({ index, kind, error: told(error) });
        }
      }
    },
    total: () => Object.values(accounts).reduce(sum, { answered: 0, refused: 0, failed: 0 }),
  };
}

function sum(one: Account, other: Account): Account {
  return {
    answered: one.answered + other.answered,
    refused: one.refused + other.refused,
    failed: one.failed + other.failed,
  };
}

const SHOWN = 600;

/** The message, and where in the soak it was thrown. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /[^/\s(]+\.ts:\d+/.exec(error.stack?.slice(error.message.length) ?? "")?.[0];
  return `${error.message.slice(0, SHOWN)} (${place ?? error.name})`;
}
