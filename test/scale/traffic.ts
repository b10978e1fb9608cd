import { within } from "../support/deadline.ts";
import { call, post } from "../support/rpc.ts";
import { INSTANCE } from "./instance-header.ts";

const WAIT_MS = 30_000;
/** A connection each: a balancer may close one that waits for its next request at the moment in which that is sent. */
const FRESH = { connection: "close" };

/** One call of the fixture `notes-calls`, and what became of it. */
export interface Sent {
  readonly key: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Where it was answered or broken off; empty where even that is unknown. */
  readonly instance: string;
  /** "answered", or what came instead. */
  readonly outcome: string;
}

export interface TrafficOptions {
  readonly url: string;
  /** Gets a line for each call that a server runs. */
  readonly file: string;
  /** Clients at once, each with one call after the other. */
  readonly clients: number;
  /** Milliseconds that a call takes. */
  readonly callMs: number;
}

/** Calls without a pause, until it is ended. */
export interface Traffic {
  readonly sent: readonly Sent[];
  /** Resolves when the calls that run have ended. */
  readonly end: () => Promise<readonly Sent[]>;
}

export function startTraffic({ url, file, clients, callMs }: TrafficOptions): Traffic {
  const sent: Sent[] = [];
  const ending = new AbortController();
  const client = async (name: number): Promise<void> => {
    for (let index = 0; !ending.signal.aborted; index++) {
      const key = `${name}-${index}`;
      const startedAt = performance.now();
      const answer = await outcomeOf(url, { file, key, delayMs: callMs });
      sent.push({ key, startedAt, endedAt: performance.now(), ...answer });
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, name) => client(name)));
  return {
    sent,
    async end() {
      ending.abort();
      await within(all, WAIT_MS, "the last calls end");
      return sent;
    },
  };
}

async function outcomeOf(
  url: string,
  args: { readonly file: string; readonly key: string; readonly delayMs: number },
): Promise<Pick<Sent, "instance" | "outcome">> {
  let instance = "";
  try {
    const response = await within(
      fetch(url, post(call("note", args), FRESH)),
      WAIT_MS,
      `an answer to ${args.key}`,
    );
    instance = response.headers.get(INSTANCE) ?? "";
    const text = await response.text();
    const isAnswer = response.status === 200 && text.includes(`"text":"${args.key}"`);
    return { instance, outcome: isAnswer ? "answered" : `${response.status} ${text}` };
  } catch (error) {
    return { instance, outcome: String(error) };
  }
}
