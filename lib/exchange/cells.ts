import { URL_ELICITATION_REQUIRED, errorCode, toLegacyError, toModernError } from "../eras/error-up.ts";
import { MULTI_ROUND_TRIP } from "../eras/names.ts";
import {
  modernRequestText,
  toInitializeRequest,
  toLegacyRequest,
  toModernRequest,
  toModernServer,
} from "../eras/request-down.ts";
import {
  advertisedResult,
  discoverResult,
  inputRequiredResult,
  toDiscoverResult,
  toInitializeResult,
  toLegacyResult,
  toModernResult,
} from "../eras/result-up.ts";
import { MayflyError, errorText } from "../errors.ts";
import { idOf, isObject } from "../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { ownId } from "./conversation.ts";
import type { Opened } from "./opening.ts";
import {
  deleteMember,
  editMember,
  elements,
  isArrayText,
  isObjectText,
  memberText,
  setMember,
} from "../rawjson.ts";
import type { Order } from "./order.ts";

/** One meeting of a client's era with a server's: how requests go down and answers come up. */
export interface Cell {
  /** What goes to the server, or the answer where the server need not be asked. */
  request(request: Message<RequestValue>): { readonly send: string } | { readonly answer: string };
  /**
   * The answer for the client.
   * @param wrapped whether the client knows the called tool by another output schema
   */
  response(request: Message<RequestValue>, response: Message<ResponseValue>, wrapped: boolean): string;
}

/** The cell of a client and an opened server. Source: 2026-07-28/basic/versioning, Compatibility Matrix. */
export function cellOf(order: Order, opened: Opened): Cell {
  if (order.client.era === "legacy") return opened.era === "legacy" ? oldOld(order) : oldNew(order, opened);
  return opened.era === "legacy" ? newOld(order, opened) : newNew(order, opened);
}

/** Both speak by the handshake: nothing changes but what is said about capabilities. */
function oldOld({ client, advertised, input }: Order): Cell {
  return {
    request: ({ text, value }) => {
      const isInitialize = value.method === "initialize";
      return {
        send: isInitialize
          ? toInitializeRequest(text, client.handshake.protocolVersion, input.kind !== "refuse")
          : text,
      };
    },
    response: ({ value }, { text }) =>
      value.method === "initialize"
        ? editResult(text, (result) => advertisedResult(result, { ...advertised, changes: false }))
        : text,
  };
}

/** A legacy client before a server that has no handshake. */
function oldNew(order: Order, { discovered }: Opened): Cell {
  const { handshake } = order.client;
  const advertised = { ...order.advertised, changes: false };
  const initialized = (result: string): string =>
    toInitializeResult(result, handshake.protocolVersion, advertised);
  return {
    request: (request) => {
      const { text, value } = request;
      // The next process would not know of it, as before a legacy server.
      if (value.method === "logging/setLevel") return { answer: resultText(request, "{}") };
      if (value.method !== "initialize") return { send: toModernRequest(text, handshakeFor(order)) };
      if (discovered !== undefined) return { answer: resultText(request, initialized(discovered)) };
      const discover = modernRequestText("", "server/discover", "{}", handshakeFor(order));
      return { send: setMember(discover, "id", idOf(request)) };
    },
    response: ({ value }, { text }, wrapped) => {
      if (value.method === "initialize") return editError(editResult(text, initialized), toLegacyError);
      const result = editResult(text, (inner) => toLegacyResult(inner, value.method, wrapped));
      return editError(result, toLegacyError);
    },
  };
}

/** A modern client before a server that wants a handshake. */
function newOld(order: Order, { initialized = "{}" }: Opened): Cell {
  const { server, advertised } = order;
  const serverInfo = memberText(initialized, "serverInfo");
  return {
    request: (request) => {
      if (request.value.method !== "server/discover")
        return { send: cancellable(toLegacyRequest(request.text, request.value.method)) };
      const result = toDiscoverResult(initialized, server.caching, advertised);
      return { answer: resultText(request, result) };
    },
    response: (request, response) => {
      const visits = visitsIn(request, response);
      if (visits.length > 0) return urlsRequired(request, visits, order, serverInfo);
      const details = { method: request.value.method, serverInfo, caching: server.caching };
      return editError(
        editResult(response.text, (result) => toModernResult(result, details)),
        toModernError,
      );
    },
  };
}

/** SDKs of the older revisions take an id of 0 for none when a request is cancelled, and modern clients count from 0. */
function cancellable(text: string): string {
  const isZero = memberText(text, "id") === "0";
  return isZero ? setMember(text, "id", JSON.stringify(ownId())) : text;
}

/** Both say everything with every request. */
function newNew({ advertised, input }: Order, { discovered }: Opened): Cell {
  return {
    request: (request) => {
      const isDiscover = request.value.method === "server/discover";
      if (!isDiscover || discovered === undefined)
        return { send: toModernServer(request.text, input.kind !== "refuse") };
      return { answer: resultText(request, discoverResult(discovered, advertised)) };
    },
    response: ({ value }, { text }) =>
      value.method === "server/discover"
        ? editResult(text, (result) => discoverResult(result, advertised))
        : text,
  };
}

/** Of a client's capabilities those that this server may be told. */
export function handshakeFor({ client: { handshake }, input }: Order): Order["client"]["handshake"] {
  const { elicitation, sampling, roots, ...others } = handshake.capabilities;
  const asked = { elicitation, sampling, roots };
  const kept = Object.entries(asked).filter(([, value]) => input.kind !== "refuse" && value !== undefined);
  return { ...handshake, capabilities: { ...others, ...Object.fromEntries(kept) } };
}

/**
 * A legacy server that wants its user to visit pages first (2025-11-25/client/elicitation, URL Mode). A modern client
 * is told what to ask for, and calls again.
 */
function urlsRequired(
  request: Message<RequestValue>,
  elicitations: readonly string[],
  { client }: Order,
  serverInfo: string | undefined,
): string {
  const { elicitation } = client.handshake.capabilities;
  if (!isObject(elicitation) || !isObject(elicitation["url"])) {
    const data = { requiredCapabilities: { elicitation: { url: {} } } };
    return errorText(new MayflyError("CAPABILITY_MISSING", { data }), idOf(request));
  }
  const asked = elicitations.map((params, index): [string, string] => {
    const visit = setMember(deleteMember(params, "elicitationId"), "mode", '"url"');
    return [`u${index}`, `{"method":"elicitation/create","params":${visit}}`];
  });
  return resultText(request, inputRequiredResult(asked, undefined, serverInfo));
}

/** The visits that an error asks for, if its request may be answered with a question at all. */
function visitsIn({ value }: Message<RequestValue>, response: Message<ResponseValue>): string[] {
  const isAsking = errorCode(response.value.error) === URL_ELICITATION_REQUIRED;
  if (!isAsking || !MULTI_ROUND_TRIP.has(value.method)) return [];
  const data = memberText(memberText(response.text, "error") ?? "{}", "data");
  const list = isObjectText(data) ? memberText(data, "elicitations") : undefined;
  return isArrayText(list) ? elements(list).filter((entry) => isObjectText(entry)) : [];
}

/** An answer to the request. */
export function resultText(request: Message<RequestValue>, result: string): string {
  return `{"jsonrpc":"2.0","id":${idOf(request)},"result":${result}}`;
}

function editResult(text: string, edit: (result: string) => string): string {
  return editMember(text, "result", edit);
}

function editError(text: string, edit: (error: string) => string): string {
  return editMember(text, "error", edit);
}
