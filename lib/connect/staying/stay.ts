import { errorText } from "../../errors.ts";
import type { MayflyError } from "../../errors.ts";
import { idOf, messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import type { Logger } from "../../logger.ts";
import { keyOf } from "../messages.ts";
import type { RemoteSession } from "../remote.ts";
import type { Pings } from "./pings.ts";
import type { Questions } from "./questions.ts";
import type { StandingRequests } from "./standing-requests.ts";
import type { Waiting } from "./waiting.ts";

/** One session of a remote that stays, from the first try to open it until it is lost. */
export interface Generation {
  /** Undefined until it is open. */
  session: RemoteSession | undefined;
  /** Why it is over. */
  lost: MayflyError | undefined;
  /** Whether it takes nothing any more: its end is about to be told. */
  isForgotten: boolean;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
}

/** What the parts of a remote that stays share. */
export interface Stay {
  readonly name: string;
  readonly logger: Logger;
  readonly hear: (message: Message, about: Message<RequestValue> | undefined) => Promise<void> | void;
  /** Ends with the whole. */
  readonly life: AbortController;
  /** Requests of the client that have no answer, by their ids. */
  readonly pending: Map<string, Message<RequestValue>>;
  /** Of them, those that were sent a second time. */
  readonly repeated: WeakSet<Message>;
  readonly waiting: Waiting;
  /** Requests of our own that have no answer, by their ids. */
  readonly own: Map<string, Message<RequestValue>>;
  readonly questions: Questions;
  readonly standing: StandingRequests;
  readonly pings: Pings;
  readonly reopen: () => void;
  /** The protocolVersion of the first session, which the client knows. */
  revision: unknown;
  /** The newest one. */
  generation: Generation;
  /** Takes what the client sends: open, and told all that the one before knew. */
  session: RemoteSession | undefined;
  /** The client's `notifications/initialized`. */
  initialized: Message | undefined;
  /** Sessions, or attempts to open one, that were of no use, in a row. */
  failures: number;
  /** When the log said that the remote is gone, on the clock of `performance.now()`; undefined while it is there. */
  downSince: number | undefined;
}

export function newGeneration(): Generation {
  return { session: undefined, lost: undefined, isForgotten: false, startedAt: performance.now() };
}

/** What would be sent to it now would not be carried out, and waits for the next one. */
export function forget(generation: Generation, all: Stay): void {
  generation.isForgotten = true;
  if (generation === all.generation) all.session = undefined;
}

/** Answers a request of the client with an error of ours. */
export function answer(request: Message<RequestValue>, error: MayflyError, all: Stay): void {
  const key = keyOf(request);
  if (all.pending.get(key) === request) all.pending.delete(key);
  // Never rejects, and nothing comes after it that would have to wait.
  void all.hear(messageOf(errorText(error, idOf(request))), undefined);
}
