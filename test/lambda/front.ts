import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { BufferedAnswer } from "../../lib/adapters/lambda.ts";
import type { HttpEvent } from "../../lib/adapters/lambda/platform.ts";
import type { Pool } from "./pool.ts";
import type { Posted } from "./runtime-api.ts";
import type { Sent } from "./events.ts";

/** Stands before a function, and speaks HTTP with clients. It never tells the function that one of them has gone. */
export interface Front {
  readonly url: string;
  stop(): void;
}

/** Sends what the runtime posts on to the client. */
type Forward = (posted: Posted, response: ServerResponse) => Promise<void>;

export async function startFront(
  pool: Pool,
  toEvent: (sent: Sent, base64: boolean) => HttpEvent,
  forward: Forward,
): Promise<Front> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const event = toEvent(await sentBy(request), !isText(request));
    await pool.use(async (environment) => forward(await environment.invoke({ event }), response));
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

async function sentBy(request: IncomingMessage): Promise<Sent> {
  const { method = "GET", url: path = "/", headers } = request;
  const pairs = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  const body = Buffer.concat(await request.toArray()).toString("utf8");
  return { method, path, headers: new Headers(pairs), body: body === "" ? undefined : body };
}

/** Others the platform hands on in base64. */
function isText({ headers }: IncomingMessage): boolean {
  return /^(?:text\/|application\/(?:json|javascript|xml)\b)/.test(headers["content-type"] ?? "text/plain");
}

const STREAM_TYPE = "application/vnd.awslambda.http-integration-response";
const DELIMITER = Buffer.alloc(8);

/** As a function URL with the invoke mode RESPONSE_STREAM. */
export const forwardStream: Forward = async ({ kind, body }, response) => {
  if (kind === "error" || body.headers["content-type"] !== STREAM_TYPE) return badGateway(body, response);
  let waiting: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (!waiting) {
      response.write(chunk);
      continue;
    }
    waiting = Buffer.concat([waiting, chunk]);
    const end = waiting.indexOf(DELIMITER);
    if (end === -1) continue;
    writeHead(waiting.subarray(0, end).toString(), response);
    response.write(waiting.subarray(end + DELIMITER.length));
    waiting = undefined;
  }
  response.end();
};

function writeHead(text: string, response: ServerResponse): void {
  const { statusCode, headers } = JSON.parse(text) as Pick<BufferedAnswer, "statusCode" | "headers">;
  response.writeHead(statusCode, headers);
  response.flushHeaders();
}

/** As a function URL with the invoke mode BUFFERED, or an HTTP API. */
export const forwardBuffered: Forward = async ({ kind, body }, response) => {
  if (kind === "error") return badGateway(body, response);
  const text = Buffer.concat(await body.toArray()).toString("utf8");
  const answer = JSON.parse(text) as BufferedAnswer;
  response.writeHead(answer.statusCode, answer.headers);
  response.end(Buffer.from(answer.body, answer.isBase64Encoded ? "base64" : "utf8"));
};

async function badGateway(body: IncomingMessage, response: ServerResponse): Promise<void> {
  const text = Buffer.concat(await body.toArray()).toString("utf8");
  response.writeHead(502, { "content-type": "text/plain" }).end(text);
}
