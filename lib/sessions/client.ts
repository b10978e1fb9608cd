import type { Message, RequestValue } from "../jsonrpc.ts";

/** One client of a session, as its transport shows it. None of the functions may block or throw. */
export interface SessionClient {
  /**
   * Takes a message of the server that is no answer.
   * @param about the client's own running request that it belongs to, where that is known
   */
  deliver(text: string, about: Message<RequestValue> | undefined): void;
  /**
   * Takes the answer to a request, which is over with that.
   * @param text undefined where the client does not want an answer any more
   */
  settle(request: Message<RequestValue>, text: string | undefined): void;
  /**
   * From when on the client can do without its session if another needs it, on the clock of `performance.now()`;
   * undefined while it uses it. @default it always does
   */
  mayGiveWayFrom?(): number | undefined;
  /** The session is over, and nothing more will come. */
  end(): void;
}
