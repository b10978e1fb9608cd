import { META, LOG_LEVELS } from "../../eras/names.ts";
import { metaText, setMeta } from "../../eras/capabilities.ts";
import { toModernNotification } from "../../eras/request-down.ts";
import { toInitializeResult } from "../../eras/result-up.ts";
import { MayflyError, errorText } from "../../errors.ts";
import { resultText } from "../../exchange/cells.ts";
import { exchange } from "../../exchange/exchange.ts";
import { anonymousHandshake, handshakeOf } from "../../exchange/initialize.ts";
import type { Handshake } from "../../exchange/initialize.ts";
import type { Replies } from "../../exchange/order.ts";
import { idOf, isNotification, isRequest, isResponse } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue } from "../../jsonrpc.ts";
import type { Lifetime } from "../../lifetime.ts";
import { shortened } from "../../logger.ts";
import { editMember } from "../../rawjson.ts";
import { LEGACY_VERSIONS } from "../../revisions.ts";
import { levelOf } from "../../sessions/log-levels.ts";
import type { Server } from "../../servers.ts";
import { createChangeFeed } from "./change-feed.ts";
import type { ChangeFeed } from "./change-feed.ts";
import { createClientQuestions } from "./client-questions.ts";
import type { ClientQuestions } from "./client-questions.ts";
import { createInFlight } from "./in-flight.ts";
import type { InFlight } from "./in-flight.ts";
import type { Relay, RelayOptions } from "../relay.ts";
import { remoteProcess } from "./remote-process.ts";
import { UNLIMITED, orderFor, remoteServer, watchedElsewhere } from "./remote-server.ts";
import type { ModernRemote } from "../remote.ts";

/**
 * A client of the older revisions in front of a remote that has no handshake, and so keeps nothing: what a session
 * would keep is kept here. Each request is an exchange of its own, as it is over HTTP; changes come by one subscription.
 * Source: 2026-07-28/basic/versioning, Compatibility Matrix.
 */
export function createLegacyBeforeModern({ remote, client, logger }: RelayOptions<ModernRemote>): Relay {
  const relaying: Relaying = {
    remote,
    client,
    logger,
    server: remoteServer("modern"),
    inFlight: createInFlight(client, logger),
    questions: createClientQuestions(client),
    changes: createChangeFeed({ remote, client, logger, introduction: () => relaying.handshake }),
    handshake: anonymousHandshake(LEGACY_VERSIONS[0]),
    level: undefined,
  };
  return {
    async receive(message) {
      if (isRequest(message)) await begin(message, relaying);
      else if (isNotification(message)) await note(message, relaying);
      else if (isResponse(message) && !relaying.questions.answer(message)) {
        logger.debug({}, "An answer of the client to nothing: dropped");
      }
    },
    async close() {
      await Promise.all([relaying.inFlight.close(), relaying.changes.close()]);
    },
  };
}

interface Relaying extends RelayOptions<ModernRemote> {
  readonly server: Server;
  readonly inFlight: InFlight;
  readonly questions: ClientQuestions;
  readonly changes: ChangeFeed;
  /** What the client has said of itself. */
  handshake: Handshake;
  /** The log level that it wants, as JSON. */
  level: string | undefined;
}

async function begin(request: Message<RequestValue>, relaying: Relaying): Promise<void> {
  const { client, changes, inFlight } = relaying;
  switch (request.value.method) {
    case "initialize":
      return client.write(resultText(request, initialized(request, relaying)));
    case "ping":
      return client.write(resultText(request, "{}"));
    case "logging/setLevel":
      return client.write(setLevel(request, relaying));
    case "resources/subscribe":
      return inFlight.begin(request, (lifetime) => changes.subscribe(request, lifetime.signal));
    case "resources/unsubscribe":
      return inFlight.begin(request, () => changes.unsubscribe(request));
    default:
      return inFlight.begin(request, (lifetime) => ask(request, lifetime, relaying));
  }
}

/** Changes are told here, unlike to those who come by HTTP without a session. */
function initialized(request: Message<RequestValue>, relaying: Relaying): string {
  relaying.handshake = handshakeOf(request);
  const { protocolVersion } = relaying.handshake;
  return toInitializeResult(relaying.remote.discovered, protocolVersion, { changes: true });
}

/** Source: 2025-11-25/server/utilities/logging. From now on it goes with every request. */
function setLevel(request: Message<RequestValue>, relaying: Relaying): string {
  const level = levelOf(request.text);
  if (level === undefined) {
    const values = { method: request.value.method, levels: LOG_LEVELS.join(", ") };
    return errorText(new MayflyError("LEVEL_NOT_KNOWN", { values }), idOf(request));
  }
  relaying.level = JSON.stringify(level);
  return resultText(request, "{}");
}

function ask(request: Message<RequestValue>, lifetime: Lifetime, relaying: Relaying): Replies {
  const { remote, logger, server, handshake, questions: relays } = relaying;
  const start = () => remoteProcess(remote, (text) => withLevel(text, relaying.level), logger);
  const processes = { first: start(), more: async () => start() };
  const client = { era: "legacy", handshake } as const;
  const input = { kind: "relay", asks: true, relays, principal: "", places: UNLIMITED } as const;
  return exchange(orderFor(request, server, client, input), processes, lifetime, watchedElsewhere(logger));
}

/** A client that has named no level hears everything. */
function withLevel(text: string, level: string | undefined): string {
  if (level === undefined) return text;
  return editMember(text, "params", (params) =>
    metaText(params, META.logLevel) === undefined ? params : setMeta(params, META.logLevel, level),
  );
}

async function note(message: Message<NotificationValue>, relaying: Relaying): Promise<void> {
  const { remote, inFlight, changes, logger } = relaying;
  const { method } = message.value;
  if (method === "notifications/initialized") return changes.start();
  if (inFlight.cancelledBy(message)) return;
  if (OF_A_SESSION.test(method)) {
    return logger.debug(
      { method: shortened(method) },
      "A notification that the remote has no use for: dropped",
    );
  }
  await remote.notify({ ...message, text: toModernNotification(message.text, relaying.handshake) });
}

/** What a client of the older revisions tells, and nobody asks for any more. */
const OF_A_SESSION = /^notifications\/(?:progress|roots\/list_changed|tasks(?:\/.*)?)$/;
