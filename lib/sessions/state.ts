import type { RequestId } from "@modelcontextprotocol/sdk/types.js";

import type { MayflyError } from "../errors.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Logger } from "../logger.ts";
import type { Server } from "../servers.ts";
import type { Abandoned } from "./abandoned.ts";
import type { SessionClient } from "./client.ts";
import type { Link } from "./link.ts";
import type { Links } from "./links.ts";

/** A request of a client that has no answer yet. */
export interface PendingRequest {
  readonly member: Member;
  readonly request: Message<RequestValue>;
  /** By which the server knows it; also its progress token. */
  readonly id: number;
  /** The raw id that the client knows. Read once, as the request may be large; and so is the token. */
  readonly clientId: string;
  /** The raw progress token of the client, if it wants to hear of progress. */
  readonly clientToken: string | undefined;
  readonly startedAt: number;
  /** The process that works on it. */
  link: Link | undefined;
  /** Ends work that has a process of its own. */
  cancel: (() => void) | undefined;
  stopTimer: () => void;
}

/** A request of the server that its client has not answered. */
export interface Question {
  readonly member: Member;
  readonly link: Link;
  readonly message: Message<RequestValue>;
  readonly stopTimer: () => void;
}

/** What a session knows of one client. */
export interface Member {
  /** Names the client, and nobody else. */
  readonly id: string;
  /** Names the caller, who may be several clients. */
  readonly principal: string;
  readonly client: SessionClient;
  /** As it said in its own initialize request, in JSON: parsed it could take twenty times its room. */
  handshake: string;
  /** By the raw id that the client knows. */
  readonly pending: Map<string, PendingRequest>;
  /** URIs of resources, and whether the server has agreed already. */
  readonly subscriptions: Map<string, boolean>;
  /** Ids of the pages that its user was sent to, the oldest first. */
  readonly elicitations: Set<string>;
  /** Of log messages, if it has asked for one. */
  logLevel: string | undefined;
}

/**
 * What the parts of a session share. Ids and progress tokens of its clients are replaced by ids that are the session's
 * own, so that equal ones of two clients never meet.
 */
export interface SessionState {
  /** As it is configured now. */
  server: Server;
  /** Whether clients must be kept apart. */
  readonly shared: boolean;
  readonly links: Links;
  readonly members: Set<Member>;
  /** By the id that the server knows. */
  readonly pending: Map<RequestId, PendingRequest>;
  /** By the id that the server knows. */
  readonly abandoned: Map<RequestId, Abandoned>;
  /** By the id that the client knows. */
  readonly questions: Map<RequestId, Question>;
  /** The initialize request of the first client: every process gets it. Without one, Mayfly speaks for itself. */
  handshake: Message<RequestValue> | undefined;
  /** Whether a server has accepted it. */
  isHandshakeProven: boolean;
  /** Why the session takes no more requests. */
  refusal: MayflyError | undefined;
  isOver: boolean;
  /** Comes when the last request in flight is over. */
  readonly onIdle: () => void;
  lastId: number;
  /** UTF-16 code units of the requests in flight. */
  characters: number;
  readonly logger: Logger;
  /** Runs a request on a process of its own, for a server that has no handshake. */
  readonly bridge: (pending: PendingRequest, all: SessionState) => void;
  /** An answer to a question that such a process has asked; false if there is none. */
  readonly answerBridge: (member: Member, message: Message) => boolean;
}
