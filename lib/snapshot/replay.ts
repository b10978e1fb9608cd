import { keptCapabilitiesText, metaText, restrictedCapabilitiesText } from "../eras/capabilities.ts";
import { META } from "../eras/names.ts";
import { handshakeFor } from "../exchange/cells.ts";
import type { KnownEras } from "../exchange/era-memory.ts";
import type { Client, Order } from "../exchange/order.ts";
import { isObject, paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { isObjectText, memberText, members } from "../rawjson.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Server } from "../servers.ts";
import type { RecordedAnswers, Snapshot } from "./format.ts";
import { recordedAnswer } from "./recorded-process.ts";

/** What the members of a request may be that a snapshot answers: others could mean something to the server. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  initialize: ["protocolVersion", "capabilities", "clientInfo", "_meta"],
  "server/discover": ["_meta"],
  "tools/list": ["cursor", "_meta"],
  "prompts/list": ["cursor", "_meta"],
  "resources/list": ["cursor", "_meta"],
  "resources/templates/list": ["cursor", "_meta"],
};

/** Whether a record made without a client could answer these requests: they ask for nothing but what a server is. */
export function mayBeRecorded(order: Order): boolean {
  const { requests, server } = order;
  if (server.credentials && server.snapshotSetting !== "always") return false;
  return requests.every((request) => isAboutServer(request, order.client)) && saysNothing(order);
}

function isAboutServer({ text, value: { method } }: Message<RequestValue>, { era }: Client): boolean {
  const known = Object.hasOwn(MEMBERS, method) ? MEMBERS[method] : undefined;
  const isOfOtherEra = method === (era === "legacy" ? "server/discover" : "initialize");
  if (!known || isOfOtherEra) return false;
  return members(paramsText(text)).every(({ key }) => known.includes(key));
}

/** Whether the server would be told of no capabilities: by those it may list other things. */
function saysNothing(order: Order): boolean {
  return order.requests.every((request) => {
    const said = saidCapabilities(request, order);
    return !isObjectText(said) || Object.values(JSON.parse(said) as object).every((value) => isEmpty(value));
  });
}

function isEmpty(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

/** As the server would be told. */
function saidCapabilities({ text, value }: Message<RequestValue>, order: Order): string {
  const isAsking = order.input.kind !== "refuse";
  const params = paramsText(text);
  if (order.client.era === "modern") {
    return restrictedCapabilitiesText(metaText(params, META.clientCapabilities) ?? "{}", isAsking);
  }
  if (value.method === "initialize") {
    return keptCapabilitiesText(memberText(params, "capabilities") ?? "{}", isAsking);
  }
  return JSON.stringify(handshakeFor(order).capabilities);
}

/** Whether all answers to these requests are recorded. */
export function isRecorded({ client, requests, server }: Order, snapshot: Snapshot): boolean {
  const answers = answersFor(client, server.eras.known(), snapshot);
  return (
    answers?.opening !== undefined &&
    requests.every((request) => recordedAnswer(answers, request) !== undefined)
  );
}

/** The side of the record that a client meets: that of the era in which the server would be opened for it. */
function answersFor(
  { era, handshake }: Client,
  { modern, legacy }: KnownEras,
  snapshot: Snapshot,
): RecordedAnswers | undefined {
  const isModern = era === "modern" ? modern : legacy === undefined ? undefined : !legacy;
  if (isModern === undefined) return undefined;
  if (isModern) return snapshot.modern;
  return snapshot.legacy[era === "modern" ? LEGACY_VERSIONS[0] : handshake.protocolVersion];
}

/** Whether other callers may get other answers, so that nobody may share them. */
export function isPrivate({ allowEnv, envFrom }: Server): boolean {
  return allowEnv.length + envFrom.length > 0;
}

/** The same request for the record: what it says of the server is not to be learned, or forgotten, once more. */
export function orderForRecord(order: Order): Order {
  const { server } = order;
  const { eras, caching } = server;
  const fixed = { known: () => eras.known(), learn: nothing, forget: nothing, noteEnding: () => 0 };
  const scope = isPrivate(server) ? { ...caching, cacheScope: "private" as const } : caching;
  return { ...order, server: { ...server, eras: fixed, caching: scope } };
}

function nothing(): void {}
