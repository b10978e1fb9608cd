import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Era } from "../revisions.ts";
import type { Relay } from "./relay.ts";

/** What a client has opened its side with, and so what a remote is opened for. */
export interface Opening {
  readonly era: Era;
  /** The initialize request of a legacy client; a request with an envelope of a modern one. */
  readonly request: Message<RequestValue>;
}

/** A remote that has been reached, and the relay in front of it. */
export interface Link {
  readonly relay: Relay;
  /** Ends the relay, and gives the remote back in bounded time. Never rejects. */
  close(): Promise<void>;
}

/** The remote is there, or something in its place is, but not of use at the moment. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
  /** Milliseconds after which it wants to be asked again, if it said so. */
  readonly retryAfterMs: number | undefined;

  constructor(cause: Error, retryAfterMs?: number) {
    super(cause.message, { cause });
    this.retryAfterMs = retryAfterMs;
  }
}
