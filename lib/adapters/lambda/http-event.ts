import { MayflyError } from "../../errors.ts";
import type { IncomingRequest } from "../../incoming.ts";
import { isObject } from "../../jsonrpc.ts";
import { pathOf } from "./path.ts";
import type { HttpEvent } from "./platform.ts";

/** Whether somebody sent an HTTP request. Events of other sources have no method and path. */
export function isHttpEvent(event: unknown): event is HttpEvent {
  if (!isObject(event) || !isObject(event["requestContext"])) return false;
  const { http } = event["requestContext"];
  const since2 = isObject(http) && typeof http["method"] === "string" && typeof event["rawPath"] === "string";
  return since2 || (typeof event["httpMethod"] === "string" && typeof event["path"] === "string");
}

/**
 * The request that the event stands for.
 * @throws MALFORMED_REQUEST
 */
export function toRequest(event: HttpEvent): IncomingRequest {
  const method = event.requestContext.http?.method ?? event.httpMethod ?? "";
  const headers = headersOf(event);
  return { method, url: urlOf(event, headers), headers, body: streamOf(bodyOf(event)) };
}

/** The bytes of the body; empty if there is none. */
export function bodyOf({ body, isBase64Encoded }: HttpEvent): Uint8Array {
  return Buffer.from(body ?? "", isBase64Encoded === true ? "base64" : "utf8");
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> | null {
  if (bytes.length === 0) return null;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

function headersOf(event: HttpEvent): Headers {
  const headers = new Headers();
  try {
    const fields = pairsOf(event.headers, event.multiValueHeaders);
    for (const [name, value] of fields) headers.append(name, asBytes(value));
    const { cookies = [] } = event;
    if (cookies.length > 0) headers.set("cookie", asBytes(cookies.join("; ")));
  } catch (cause) {
    throw new MayflyError("MALFORMED_REQUEST", { cause });
  }
  return headers;
}

/** A header is bytes: the platform decodes them, and Headers takes no other characters. */
function asBytes(value: string): string {
  return /[^\0-\xff]/.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value;
}

/** A host with its port. What could be taken for a path or for credentials is none. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i;

function urlOf(event: HttpEvent, headers: Headers): string {
  const host = headers.get("host") ?? event.requestContext.domainName ?? "localhost";
  const scheme = headers.get("x-forwarded-proto") === "http" ? "http" : "https";
  const query = queryOf(event);
  const url = `${scheme}://${host}${pathOf(event)}${query && "?"}${query}`;
  if (!HOST.test(host) || !URL.canParse(url)) throw new MayflyError("MALFORMED_REQUEST");
  return url;
}

function queryOf({ rawQueryString, requestContext, ...event }: HttpEvent): string {
  if (rawQueryString !== undefined) return rawQueryString;
  const pairs = pairsOf(event.queryStringParameters, event.multiValueQueryStringParameters);
  // A load balancer hands them on as they came, and API Gateway decodes them.
  if (requestContext.elb) return pairs.map(([name, value]) => `${name}=${value}`).join("&");
  return String(new URLSearchParams(pairs));
}

/** Where all values of a name are given, the single one is the last of them. */
function pairsOf(single: HttpEvent["headers"], many: HttpEvent["multiValueHeaders"]): [string, string][] {
  if (many)
    return Object.entries(many).flatMap(([name, values = []]) => values.map((value) => pair(name, value)));
  return Object.entries(single ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [pair(name, value)],
  );
}

function pair(name: string, value: string): [string, string] {
  return [name, value];
}
