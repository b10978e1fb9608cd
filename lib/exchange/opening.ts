import { setTimeout as delay } from "node:timers/promises";

import type { Answer, Conversation } from "./conversation.ts";
import { errorCode } from "../eras/error-up.ts";
import { isModernDiscovery, namesModernVersion } from "../eras/discovery.ts";
import { modernRequestText } from "../eras/request-down.ts";
import { METHOD_NOT_FOUND, MayflyError, UNSUPPORTED_VERSION } from "../errors.ts";
import { INITIALIZED_TEXT, anonymousHandshake, initializeText } from "./initialize.ts";
import type { Handshake } from "./initialize.ts";
import type { Logger } from "../logger.ts";
import { memberText } from "../rawjson.ts";
import { refusedInitialize } from "../reasons.ts";
import { MODERN_VERSIONS } from "../revisions.ts";
import type { Era } from "../revisions.ts";
import type { Server } from "../servers.ts";

/** A process that is ready for requests of an era. */
export interface Opened {
  readonly conversation: Conversation;
  readonly era: Era;
  /** The raw InitializeResult of a legacy server whose handshake was replayed. */
  readonly initialized?: string;
  /** The whole answer that it stands in, under an id of our own. */
  readonly handshakeAnswer?: string;
  /** The raw DiscoverResult of a modern server that had to be asked. */
  readonly discovered?: string;
}

/** Where processes for one POST come from. */
export interface Stage {
  readonly server: Server;
  /** What is said to a server that wants a handshake, or an envelope. */
  readonly handshake: Handshake;
  /** Ends the process that was started before, if any, and starts a fresh one. */
  start(): Promise<Conversation>;
  readonly logger: Logger;
}

/**
 * Opens a process for a modern client: no message at all where the server is known to be modern. Otherwise
 * `server/discover` tells, and never the real request, which a legacy server might execute.
 * Source: 2026-07-28/basic/transports/stdio, Backward Compatibility.
 * @throws what keeps the server from being opened
 */
export async function openForModern(stage: Stage): Promise<Opened> {
  const { eras } = stage.server;
  const conversation = await stage.start();
  const { modern, legacy } = eras.known();
  if (modern === true) return { conversation, era: "modern" };
  const probed = modern === false ? undefined : await probe(conversation, stage);
  if (isOpened(probed)) {
    eras.learn({ modern: true });
    return probed;
  }
  if (legacy === false) throw refused(stage, probed?.error);
  return openAfterProbe(stage, conversation, probed?.outcome);
}

/**
 * Opens a process for a legacy client by the handshake, and never by a probe. A server that refuses it may be
 * modern: it says so in the refusal (2026-07-28/basic/versioning), or in answer to `server/discover`.
 * @throws what keeps the server from being opened
 */
export async function openForLegacy(stage: Stage): Promise<Opened> {
  const conversation = await stage.start();
  if (stage.server.eras.known().legacy === false) return { conversation, era: "modern" };
  const answer = await initialize(conversation, stage);
  if ("error" in answer) return openAfterRefusal(stage, conversation, answer.error);
  stage.server.eras.learn({ legacy: true });
  return opened(conversation, answer);
}

/** Whether a server that refuses to initialize is modern. @throws INITIALIZE_REFUSED if not */
export async function openAfterRefusal(
  stage: Pick<Stage, "server" | "logger">,
  conversation: Conversation,
  refusal: unknown,
): Promise<Opened> {
  const { eras } = stage.server;
  const isSaid = namesModernVersion(refusal);
  const probed = isSaid || eras.known().modern === false ? undefined : await probe(conversation, stage);
  if (!isSaid && !isOpened(probed)) throw refused(stage, refusal);
  // Any other refusal may have been about what this client said of itself.
  const isWithoutHandshake = isSaid || errorCode(refusal) === METHOD_NOT_FOUND;
  eras.learn({ modern: true, ...(isWithoutHandshake && { legacy: false }) });
  return isOpened(probed) ? probed : { conversation, era: "modern" };
}

/** Source: 2026-07-28/basic/versioning: what was found out is found out anew if it fails later. */
function refused({ server }: Pick<Stage, "server">, error: unknown): MayflyError {
  server.eras.forget();
  return refusedInitialize(server, error);
}

/** Why a probe found no modern server. */
interface NotModern {
  /** The server's answer. */
  readonly error?: unknown;
  readonly outcome: "answered" | "ended" | "silent";
}

/** Milliseconds for an answer to `server/discover`: servers of the first revisions may not answer what they do not know. */
async function probe(
  conversation: Conversation,
  { server, logger }: Pick<Stage, "server" | "logger">,
): Promise<Opened | NotModern> {
  const textFor = (id: string): string => modernRequestText(id, "server/discover", "{}", OURSELVES);
  const silence = new AbortController();
  try {
    const answer = conversation.ask("server/discover", textFor);
    const answered = await Promise.race([
      answer,
      delay(server.probeTimeoutMs, undefined, { signal: silence.signal }),
    ]);
    if (!answered) {
      answer.catch(ignored);
      const limit = server.probeTimeoutMs;
      logger.warn(
        { server: server.name, limit },
        "No answer to server/discover: say in the configuration what era it is",
      );
    }
    return answered ? verdictOf(answered, conversation) : { outcome: "silent" };
  } catch (error) {
    if (error instanceof MayflyError && ENDED.has(error.code)) return { outcome: "ended" };
    throw error;
  } finally {
    silence.abort();
  }
}

/** Not as the client: what is found out is remembered for all clients, and none of them may have a say in it. */
const OURSELVES = anonymousHandshake(MODERN_VERSIONS[0]);

const ENDED = new Set(["EXITED", "STDOUT_CLOSED"]);

/** Of an answer that comes after we have given up waiting for it, or of a process that we end ourselves. */
function ignored(): void {}

function verdictOf({ text, result, error }: Answer, conversation: Conversation): Opened | NotModern {
  if (namesModernVersion(error)) return { conversation, era: "modern" };
  if (!isModernDiscovery(result)) return { error, outcome: "answered" };
  return { conversation, era: "modern", discovered: memberText(text, "result") ?? "{}" };
}

function isOpened(outcome: Opened | NotModern | undefined): outcome is Opened {
  return outcome !== undefined && "era" in outcome;
}

/** A handshake after a probe, on the same process if that is of use still. */
async function openAfterProbe(
  stage: Stage,
  probed: Conversation,
  outcome: NotModern["outcome"] | undefined,
): Promise<Opened> {
  const { eras } = stage.server;
  const startedAt = performance.now();
  const isSpent = outcome === "ended" || outcome === "silent";
  const conversation = isSpent ? await stage.start() : probed;
  const answer = await initialize(conversation, stage);
  if (!("error" in answer)) {
    eras.learn({ legacy: true });
    const tookMs = performance.now() - startedAt;
    if (isConclusive(outcome, tookMs, stage)) eras.learn({ modern: false });
    return opened(conversation, answer);
  }
  // It was starting when it seemed to be silent, or had ended by accident.
  if (isSpent) return openAfterRefusal(stage, conversation, answer.error);
  // The first message has decided about the era of this process; the next one has not been decided about.
  if (errorCode(answer.error) !== UNSUPPORTED_VERSION) throw refused(stage, answer.error);
  return openFresh(stage);
}

/**
 * Whether the server has shown that it is no modern one. A server that needs that long for the handshake too may have
 * been starting when it seemed to be silent; one that ended may have crashed, unless it does so again.
 */
function isConclusive(outcome: NotModern["outcome"] | undefined, tookMs: number, { server }: Stage): boolean {
  if (outcome === "ended") return server.eras.noteEnding() > 1;
  return outcome !== "silent" || tookMs < server.probeTimeoutMs;
}

async function openFresh(stage: Stage): Promise<Opened> {
  const conversation = await stage.start();
  const answer = await initialize(conversation, stage);
  if ("error" in answer) throw refused(stage, answer.error);
  stage.server.eras.learn({ legacy: true, modern: false });
  return opened(conversation, answer);
}

/** 2025-11-25/basic/lifecycle, Initialization. The server may choose another version than the one asked for. */
async function initialize(conversation: Conversation, { handshake }: Stage): Promise<Answer> {
  const answer = await conversation.ask("initialize", (id) => initializeText(id, handshake));
  if (!("error" in answer)) void conversation.send(INITIALIZED_TEXT);
  return answer;
}

function opened(conversation: Conversation, { text }: Answer): Opened {
  const initialized = memberText(text, "result") ?? "{}";
  return { conversation, era: "legacy", initialized, handshakeAnswer: text };
}
