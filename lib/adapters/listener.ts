import type { IncomingMessage, ServerResponse } from "node:http";

import { getRequestListener } from "@hono/node-server";

import { MayflyError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import type { IncomingRequest, RequestContext } from "../incoming.ts";
import { errorResponse } from "../response.ts";
import { refusalOf } from "./refusals.ts";
import type { HttpExchange } from "./pipelining.ts";

/** For `node:http` and what is built on it. The promise settles when the answer is out, and never rejects. */
export type NodeHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

/**
 * Makes a handler answer requests of `node:http`, also as a middleware of Express and the like. Below a path where it is
 * mounted, it sees the rest of the path. A body that another middleware has parsed is taken from `incoming.body`.
 * It answers whatever comes: nothing is handed on to a next middleware.
 * @param handler what `createHandler` returns
 */
export function toNodeHandler(handler: Pick<Handler, "fetch">): NodeHandler {
  return createListener(async (request, context, exchange) => {
    const refusal = refusalOf(exchange.incoming);
    return refusal ? errorResponse(refusal) : handler.fetch(request, context);
  });
}

/** A handler that also sees what Node has made of the request. */
type NodeFetch = (
  request: IncomingRequest,
  context: RequestContext,
  exchange: HttpExchange,
) => Promise<Response>;

/** @param hostname stands for a Host header that is missing, as HTTP/1.0 allows; without it the answer is 400 */
export function createListener(fetch: NodeFetch, hostname?: string): NodeHandler {
  return getRequestListener(
    (request, pair) => {
      // Not of HTTP/2, which nothing here serves.
      const exchange = pair as HttpExchange;
      const cut = (): void => void exchange.outgoing.destroy();
      return fetch(withBody(request, exchange.incoming), { cut }, exchange);
    },
    {
      ...(hostname !== undefined && { hostname }),
      overrideGlobalObjects: false,
      errorHandler: (error) => closing(errorResponse(toRefusal(error))),
    },
  );
}

/** Says that the connection ends with the answer. */
export function closing(response: Response): Response {
  response.headers.set("Connection", "close");
  return response;
}

/** A request as body parsers leave it. */
type Parsed = IncomingMessage & { readonly body?: unknown };

/** Not every parsed body is one: some parsers leave an empty object where they have not read. */
function withBody(request: Request, incoming: Parsed): IncomingRequest {
  if (!incoming.readableDidRead || ["GET", "HEAD"].includes(request.method)) return request;
  if (incoming.body === undefined) throw alreadyRead();
  const { method, url, signal } = request;
  return {
    method,
    url,
    headers: decodedHeaders(request.headers),
    signal,
    body: new Blob([bytesOf(incoming.body)]).stream(),
  };
}

/** The parser has undone what these say of the body. What type it is of still counts: pages send others unasked. */
function decodedHeaders(sent: Headers): Headers {
  const headers = new Headers(sent);
  const type = sent.get("content-type")?.replace(/;\s*charset=[^;]*/i, "");
  if (type !== undefined) headers.set("Content-Type", type);
  headers.delete("Content-Encoding");
  return headers;
}

function bytesOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
}

function alreadyRead(): MayflyError {
  const detail = "another middleware has read it and left no body property";
  return new MayflyError("BODY_NOT_JSON", { values: { detail } });
}

/** What is no error of ours is a request that cannot be read as one: a Host or a path that makes no URL. */
function toRefusal(error: unknown): MayflyError {
  return error instanceof MayflyError ? error : new MayflyError("MALFORMED_REQUEST");
}
