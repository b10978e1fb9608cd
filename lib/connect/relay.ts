import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Logger } from "../logger.ts";

/** The client at the other end of stdio. */
export interface StdioClient {
  /** Writes a message. Resolves when there is room for the next one; never rejects. */
  write(text: string): Promise<void>;
}

/** Hands messages from a client to a remote and back, and translates where the two are of different eras. */
export interface Relay {
  /** A message of the client. Resolves when the next one may come; never rejects. */
  receive(message: Message): Promise<void>;
  /**
   * A message of a remote of the older revisions. A modern one says nothing but in answer, and its relays have no such
   * function.
   * @param about the request on whose own stream it came
   */
  hear?(message: Message, about: Message<RequestValue> | undefined): Promise<void>;
  /** Nobody is there any more: ends what is in flight. The remote is closed by whoever opened it. */
  close(): Promise<void>;
}

/** A relay in front of a session. */
export type SessionRelay = Required<Relay>;

/** What a relay stands between. */
export interface RelayOptions<Remote> {
  readonly remote: Remote;
  readonly client: StdioClient;
  readonly logger: Logger;
}
