import { MayflyError } from "../errors.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import type { RemoteTransport } from "./options.ts";
import { openHttpSse } from "./sessions/http-sse.ts";
import { InitializeRefused } from "./remote.ts";
import type { RemoteSession, RemoteTarget, SessionEvents } from "./remote.ts";
import { openStreamable } from "./sessions/streamable.ts";

/** Opens sessions by the transport that the remote has, which it finds out once. */
export interface Transports {
  /**
   * @param onRefusal is asked about a refusal by streamable HTTP before HTTP+SSE is tried, and may throw
   * @throws InitializeRefused; REMOTE_NEITHER; what keeps the remote from being reached
   */
  open(
    initialize: Message<RequestValue>,
    events: SessionEvents,
    signal: AbortSignal,
    onRefusal?: (refusal: InitializeRefused) => Promise<void>,
  ): Promise<RemoteSession>;
  /** What the remote has been found to have. */
  readonly known: Exclude<RemoteTransport, "auto"> | undefined;
}

/** @param transport the only one that is tried, unless it is `auto` */
export function createTransports(target: RemoteTarget, transport: RemoteTransport): Transports {
  let known = transport === "auto" ? undefined : transport;
  const isGiven = known !== undefined;
  const opened = (session: RemoteSession, by: "http" | "sse"): RemoteSession => {
    known = by;
    return session;
  };
  return {
    get known() {
      return known;
    },
    async open(initialize, events, signal, onRefusal) {
      if (known === "sse") {
        try {
          return await openHttpSse(target, initialize, events, signal);
        } catch (error) {
          if (isGiven || !isOtherTransport(error)) throw error;
          known = undefined;
        }
      }
      const refusal = await refusalOf(async () =>
        opened(await openStreamable(target, initialize, events, signal), "http"),
      );
      if (!(refusal instanceof InitializeRefused)) return refusal;
      await onRefusal?.(refusal);
      if (isGiven || !isOtherTransport(refusal)) throw refusal;
      return opened(await openOther({ target, initialize, events, signal, refusal }), "sse");
    },
  };
}

async function refusalOf(open: () => Promise<RemoteSession>): Promise<RemoteSession | InitializeRefused> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof InitializeRefused) return error;
    throw error;
  }
}

/** Statuses of 400 to 499, and one, that say nothing about what is behind a POST of initialize. */
const OF_ANOTHER_KIND = new Set([401, 403, 407, 408, 421, 425, 429]);
const NOT_IMPLEMENTED = 501;

/**
 * Whether a refusal may be of a server that has another transport. The specification names 400, 404 and 405; servers
 * and gateways answer a method or a type that they do not know in other ways too.
 * Source: 2025-11-25/basic/transports, Backwards Compatibility.
 */
function isOtherTransport(error: unknown): error is InitializeRefused {
  if (!(error instanceof InitializeRefused)) return false;
  const { status } = error;
  return (status >= 400 && status < 500 && !OF_ANOTHER_KIND.has(status)) || status === NOT_IMPLEMENTED;
}

interface Other {
  readonly target: RemoteTarget;
  readonly initialize: Message<RequestValue>;
  readonly events: SessionEvents;
  readonly signal: AbortSignal;
  readonly refusal: InitializeRefused;
}

/** @throws REMOTE_NEITHER, unless the refusal was the answer of an MCP server */
async function openOther({ target, initialize, events, signal, refusal }: Other): Promise<RemoteSession> {
  try {
    return await openHttpSse(target, initialize, events, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isAway(error)) throw error;
    if (refusal.answer) throw refusal;
    const sse = error instanceof Error ? error.message : String(error);
    throw new MayflyError("REMOTE_NEITHER", { values: { http: refusal.failure.message, sse }, cause: error });
  }
}

function isAway(error: unknown): boolean {
  return error instanceof MayflyError && error.code === "REMOTE_UNREACHABLE";
}
