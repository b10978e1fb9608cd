import type { RequestListener } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";

import { MayflyError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import type { IncomingRequest } from "../incoming.ts";
import type { Logger } from "../logger.ts";
import { errorResponse } from "../response.ts";
import type { CompleteLimits } from "./http-limits.ts";
import { lingerOver } from "./lingering.ts";
import { closing, createListener } from "./listener.ts";
import type { HttpExchange } from "./pipelining.ts";
import { refusalOf } from "./refusals.ts";
import type { Reporting } from "./slow-readers.ts";

/** What the requests of a server have in common. */
export interface Serving {
  readonly host: string;
  readonly state: { readonly draining: boolean };
  readonly limits: CompleteLimits;
  readonly reporting: Reporting;
  readonly logger: Logger;
}

/** What `serve` does about a request beside what the handler does: it knows what Node has made of the request. */
export function createRequestListener(handler: Handler, serving: Serving): RequestListener {
  const listener = createListener(async (request, context, exchange) => {
    const refusal = checked(exchange, serving);
    // Whoever sends that may mean something else by what follows.
    if (refusal) return closing(errorResponse(refusal));
    const whole = { ...context, ...serving.reporting(exchange.outgoing) };
    const response = await handler.fetch(whenWanted(request, exchange), whole);
    return (await isLast(exchange, serving)) ? closing(response) : response;
  }, serving.host);
  return (incoming, outgoing) => {
    lingerOver(incoming);
    // It never rejects.
    void listener(incoming, outgoing);
  };
}

function checked({ incoming }: HttpExchange, { limits, logger }: Serving): MayflyError | undefined {
  const refusal = isUnknownExpectation(incoming)
    ? new MayflyError("EXPECTATION_NOT_MET")
    : refusalOf(incoming, limits.maxHeaders);
  if (refusal) logger.info({ status: refusal.status, code: refusal.code }, "refused");
  return refusal;
}

function isUnknownExpectation({ headers: { expect } }: HttpExchange["incoming"]): boolean {
  return expect !== undefined && !CONTINUE.test(expect);
}

const CONTINUE = /^100-continue$/i;

/** A client that asks first is told to send its body when it is read, and not if it is refused without. */
function whenWanted(request: IncomingRequest, { incoming, outgoing }: HttpExchange): IncomingRequest {
  if (incoming.headers.expect === undefined || incoming.httpVersion === "1.0") return request;
  const { method, url, headers, signal } = request;
  return {
    method,
    url,
    headers,
    ...(signal && { signal }),
    get body() {
      outgoing.writeContinue();
      return request.body;
    },
  };
}

/**
 * Whether the connection ends with the answer: while the server stops, as its client would keep it for the next request;
 * where the request is not all here, as the rest of it would be taken for another one; and where it asks for another
 * protocol, since Node reads nothing behind it.
 */
async function isLast({ incoming }: HttpExchange, { state }: Serving): Promise<boolean> {
  // What came in one piece with the headers is read in this turn of the loop.
  if (!incoming.complete) await nextTurn();
  return state.draining || !incoming.complete || incoming.headers.upgrade !== undefined;
}
