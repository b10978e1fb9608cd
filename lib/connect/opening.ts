import { envelopeOf } from "../eras/envelope.ts";
import { namesModernVersion } from "../eras/discovery.ts";
import { errorCode } from "../eras/error-up.ts";
import { METHOD_NOT_FOUND, MayflyError } from "../errors.ts";
import { handshakeOf, handshakeOfEnvelope } from "../exchange/initialize.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { deferred, settlesWithin } from "../promises.ts";
import { createLegacyBeforeLegacy } from "./relays/legacy-before-legacy.ts";
import { createLegacyBeforeModern } from "./relays/legacy-before-modern.ts";
import { Unavailable } from "./link.ts";
import type { Link, Opening } from "./link.ts";
import { createModernBeforeLegacy, initializeFor } from "./relays/modern-before-legacy.ts";
import { createModernBeforeModern } from "./relays/modern-before-modern.ts";
import { createModernRemote } from "./wire/modern.ts";
import { probe, probeWary } from "./probing.ts";
import type { RemoteTransport } from "./options.ts";
import type { Relay, RelayOptions, SessionRelay, StdioClient } from "./relay.ts";
import { InitializeRefused } from "./remote.ts";
import type { LegacyRemote, Remote, RemoteTarget } from "./remote.ts";
import { stayConnected } from "./staying/staying-connected.ts";
import { createTransports } from "./transports.ts";
import type { Transports } from "./transports.ts";

export interface OpenerOptions {
  readonly target: RemoteTarget;
  readonly transport: RemoteTransport;
  readonly client: StdioClient;
  readonly pingIntervalMs: number;
}

/** What all openings share: what was found out about the remote is of use to the next one. */
interface Opener extends OpenerOptions {
  readonly transports: Transports;
}

type Hear = SessionRelay["hear"];

/**
 * Finds out by which transport and in which era a remote speaks, and puts the relay before it that its client needs.
 * Source: 2026-07-28/basic/transports/streamable-http, Backward Compatibility; 2025-11-25/basic/transports, Backwards
 * Compatibility.
 * @returns what throws {@link Unavailable} and REMOTE_UNREACHABLE for a remote that may come back, {@link InitializeRefused}
 * for one that does not want this client, and MayflyError
 */
export function createOpener(
  options: OpenerOptions,
): (opening: Opening, signal: AbortSignal) => Promise<Link> {
  const opener = { ...options, transports: createTransports(options.target, options.transport) };
  return async (opening, signal) => {
    const relay = deferred<Relay>();
    const hear: Hear = async (message, about) => (await relay.promise).hear?.(message, about);
    const remote = await available(() => openRemote(opener, opening, hear, signal));
    const link = linkOf(opener, opening, remote);
    relay.resolve(link.relay);
    return link;
  };
}

function openRemote(opener: Opener, opening: Opening, hear: Hear, signal: AbortSignal): Promise<Remote> {
  const { era, request } = opening;
  return era === "legacy"
    ? openForLegacy(opener, request, hear, signal)
    : openForModern(opener, request, hear, signal);
}

/** A remote that refuses the handshake may be modern. Thrown through whoever wanted to have a session. */
class FoundModern extends Error {
  override readonly name = "FoundModern";
  readonly discovered: string;

  constructor(discovered: string) {
    super("the remote is modern");
    this.discovered = discovered;
  }
}

/** By the client's own handshake first: that is what a server of its era answers. */
async function openForLegacy(
  opener: Opener,
  initialize: Message<RequestValue>,
  hear: Hear,
  signal: AbortSignal,
): Promise<Remote> {
  const findModern = async (refusal: InitializeRefused): Promise<void> => {
    if (!mayBeModern(refusal)) return;
    const { modern } = await probe(opener.target, handshakeOf(initialize), signal);
    if (modern !== undefined) throw new FoundModern(modern);
  };
  try {
    return await openSession(opener, initialize, hear, signal, findModern);
  } catch (error) {
    if (error instanceof FoundModern) return createModernRemote(opener.target, error.discovered);
    throw error;
  }
}

/** A modern server answers with a JSON-RPC error, whatever it refuses. Source: 2026-07-28/basic/versioning. */
function mayBeModern({ status, answer }: InitializeRefused): boolean {
  if (!answer) return false;
  const { error } = answer.value;
  const isSaid = namesModernVersion(error) || errorCode(error) === METHOD_NOT_FOUND;
  return isSaid || (status >= 400 && status < 500 && !FINAL.has(status));
}

/** Somebody must do something about these, and no other way leads around them. */
const FINAL = new Set([401, 403]);

/** By a probe, and never by the request, which a server of an older revision may carry out. */
async function openForModern(
  opener: Opener,
  { value }: Message<RequestValue>,
  hear: Hear,
  signal: AbortSignal,
): Promise<Remote> {
  const envelope = envelopeOf(value);
  if (typeof envelope === "string") {
    throw new MayflyError("INVALID_ENVELOPE", { values: { detail: envelope } });
  }
  // Nothing could be found out by it where the remote is known to have HTTP+SSE.
  const hasStreamable = opener.transports.known !== "sse";
  const introduction = handshakeOfEnvelope(envelope);
  const probed = hasStreamable ? await probeWary(opener.target, introduction, signal) : undefined;
  if (probed?.modern !== undefined) return createModernRemote(opener.target, probed.modern);
  const refused = probed?.refused;
  if (refused && (FINAL.has(refused.status) || AWAY.has(refused.status))) {
    throw new InitializeRefused(refused.status, refused.message, refused.failure);
  }
  return openSession(opener, initializeFor(envelope), hear, signal);
}

function openSession(
  { target, transports, pingIntervalMs }: Opener,
  initialize: Message<RequestValue>,
  hear: Hear,
  signal: AbortSignal,
  onRefusal?: (refusal: InitializeRefused) => Promise<void>,
): Promise<LegacyRemote> {
  let isFirst = true;
  return stayConnected(
    {
      // What is opened again is what it was before.
      open: (again, events, ended) => {
        const ask = isFirst ? onRefusal : undefined;
        isFirst = false;
        return transports.open(again, events, ended, ask);
      },
      initialize,
      hear,
      name: target.url.origin + target.url.pathname,
      logger: target.logger,
      pingIntervalMs,
    },
    signal,
  );
}

/** Statuses of gateways whose server is away, and of servers that want to be left alone for a while. */
const AWAY = new Set([429, 502, 503, 504]);

async function available(open: () => Promise<Remote>): Promise<Remote> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof InitializeRefused && AWAY.has(error.status)) {
      throw new Unavailable(error.failure, retryAfterMs(error.failure));
    }
    throw error;
  }
}

/** Source: RFC 9110, 10.2.3. */
function retryAfterMs({ headers }: MayflyError): number | undefined {
  const said = headers["Retry-After"] ?? "";
  const ms = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now();
  return Number.isNaN(ms) ? undefined : ms;
}

function linkOf({ client, target }: Opener, opening: Opening, remote: Remote): Link {
  const relay = relayFor(opening, remote, { client, logger: target.logger });
  return {
    relay,
    async close() {
      await settlesWithin(relay.close(), CLOSE_LIMIT_MS);
      await settlesWithin(remote.close(), CLOSE_LIMIT_MS);
    },
  };
}

/** Milliseconds: a session is given back within one second. */
const CLOSE_LIMIT_MS = 1500;

function relayFor({ era }: Opening, remote: Remote, ends: Omit<RelayOptions<Remote>, "remote">): Relay {
  if (era === "legacy") {
    return remote.era === "legacy"
      ? createLegacyBeforeLegacy({ remote, ...ends })
      : createLegacyBeforeModern({ remote, ...ends });
  }
  return remote.era === "legacy"
    ? createModernBeforeLegacy({ remote, ...ends })
    : createModernBeforeModern({ remote, ...ends });
}
