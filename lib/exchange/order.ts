import type { Places } from "../places.ts";
import type { ParamHeaders } from "../configuration/options.ts";
import type { Advertised } from "../eras/capabilities.ts";
import type { FailureReason } from "../errors.ts";
import type { HeldProcesses } from "../input/held-processes.ts";
import type { Handshake } from "./initialize.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Relays } from "../input/relays.ts";
import type { Rerun } from "../input/rerun.ts";
import type { Era } from "../revisions.ts";
import type { Server } from "../servers.ts";
import type { Exchange } from "./turns.ts";

/** Who calls. */
export interface Client {
  readonly era: Era;
  /** As the client's own handshake, session token or envelope says it; our own where nothing does. */
  readonly handshake: Handshake;
  /** Of log messages, where the request asks for them itself. */
  readonly logLevel?: string | undefined;
}

/** One request, or the requests of one batch, for one fresh process. */
export interface Order {
  readonly server: Server;
  readonly client: Client;
  readonly requests: readonly Message<RequestValue>[];
  readonly advertised: Advertised;
  readonly input: Input;
  /** To compare with the arguments of a tool, if the tool's schema asks for it. */
  readonly headers: Headers;
  readonly paramHeaders: ParamHeaders;
}

/** What becomes of a server's questions to its client. */
export type Input =
  /** They are refused, and the server is told beforehand that there is nobody to ask. */
  | { readonly kind: "refuse"; readonly asks: false }
  /** They are refused although the client could answer: the tool must not run twice. */
  | { readonly kind: "unsafe"; readonly asks: false }
  /** Only a modern server may ask, since its answer ends with the question. */
  | { readonly kind: "pass"; readonly asks: false }
  /** A legacy client gets them on the stream of its POST, and answers with another POST. */
  | {
      readonly kind: "relay";
      readonly asks: true;
      readonly relays: Relays;
      readonly principal: string;
      readonly places: Places;
    }
  /** A modern client gets them as the result; its retry runs the request again, with the answers at hand. */
  | { readonly kind: "rerun"; readonly asks: true; readonly rerun: Rerun }
  /** A modern client gets them as the result; its retry meets the same process. */
  | {
      readonly kind: "hold";
      readonly asks: true;
      readonly held: HeldProcesses<Exchange>;
      readonly principal: string;
      /** What a retry must be about to meet the process. */
      readonly binding: string;
    };

/** A message for the client. */
export type Reply =
  | { readonly kind: "notification" | "request"; readonly text: string }
  | {
      readonly kind: "response";
      readonly text: string;
      readonly outcome: Outcome;
      /** HTTP status of the answer, if it is the only one and not in a stream. @default 200 */
      readonly status?: number;
      /** More HTTP headers of it then. */
      readonly headers?: Readonly<Record<string, string>>;
    };

export type Replies = AsyncGenerator<Reply, void, void>;

/** For the log: an answer of the server, or why there is none. */
export type Outcome = "ok" | "error" | "input_required" | FailureReason | "internal" | "client_gone";
