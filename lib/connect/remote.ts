import type { Message, NotificationValue, RequestValue, ResponseValue } from "../jsonrpc.ts";
import type { MayflyError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RemoteHttp } from "./wire/http.ts";

/** What remote servers are to the relays, whatever carries their messages. */

/** Where a remote server is, and what all that speaks with it needs. */
export interface RemoteTarget {
  readonly url: URL;
  readonly http: RemoteHttp;
  /** Of one message, and of one line of an event stream. */
  readonly maxMessageBytes: number;
  readonly logger: Logger;
}

/** The remote has answered initialize, but not with a session. */
export class InitializeRefused extends Error {
  override readonly name = "InitializeRefused";
  /** Of the HTTP answer. */
  readonly status: number;
  /** The JSON-RPC error, if there was one in it. */
  readonly answer: Message<ResponseValue> | undefined;
  /** The same for a client. */
  readonly failure: MayflyError;

  constructor(status: number, answer: Message<ResponseValue> | undefined, failure: MayflyError) {
    super(failure.message);
    this.status = status;
    this.answer = answer;
    this.failure = failure;
  }
}

/** Told by a session to whoever opened it. None of these may throw. */
export interface SessionEvents {
  /**
   * A message of the remote.
   * @param about the request on whose own stream it came, where it has one
   * @returns when there is room for the next one
   */
  message(message: Message, about: Message<RequestValue> | undefined): Promise<void> | void;
  /** The answer to a request that was sent will never come. The session goes on. */
  failed(request: Message<RequestValue>, error: MayflyError): void;
  /** The session is over: forgotten by the remote, or its stream broke for good. Comes once, and after it nothing. */
  lost(error: MayflyError): void;
}

/** One session with a server of the older revisions, by one transport. It is opened once, and never again. */
export interface RemoteSession {
  /** The answer to the initialize request. */
  readonly answer: Message<ResponseValue>;
  /**
   * Sends a message. What goes wrong with a request comes by `failed`, since it may come late: REMOTE_UNREACHABLE and
   * REMOTE_SESSION_LOST promise that it was not carried out.
   * @returns when what is sent next comes after it: a request has been written, anything else has been accepted
   * @throws MayflyError if what is no request was not accepted
   */
  send(message: Message): Promise<void>;
  /** Whether the remote keeps something that may break unnoticed, such as a stream: then it is worth a ping. */
  isKept(): boolean;
  /** Nobody waits for the answer any more; what comes of it is dropped. Tells the remote nothing. */
  abandon(request: Message<RequestValue>): void;
  /** Gives the session back, in bounded time. Repeated calls share one ending. */
  close(): Promise<void>;
}

/** A remote of the older revisions. It stays: what is lost is opened again with the same handshake. */
export interface LegacyRemote {
  readonly era: "legacy";
  /** The answer to the initialize request. */
  readonly answer: Message<ResponseValue>;
  /** Never rejects: what goes wrong with a request comes as its answer. */
  send(message: Message): Promise<void>;
  close(): Promise<void>;
}

/** A remote of the stateless revisions: nothing is between two requests. */
export interface ModernRemote {
  readonly era: "modern";
  /** The raw DiscoverResult. */
  readonly discovered: string;
  /**
   * Sends a request, and gives what comes of it: notifications, then the answer.
   * @param signal cancels it: the stream is closed, and nothing more comes
   * @throws MayflyError in place of an answer
   */
  request(request: Message<RequestValue>, signal: AbortSignal): AsyncGenerator<Message, void, void>;
  /** Sends a notification of a client's own making: the protocol has none. Never rejects: a failure is logged. */
  notify(message: Message<NotificationValue>): Promise<void>;
  close(): Promise<void>;
}

export type Remote = LegacyRemote | ModernRemote;
