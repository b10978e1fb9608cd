import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import type { TestContext } from "node:test";

import { connect } from "../../lib/connect/connect.ts";
import type { ConnectOptions, Connection } from "../../lib/connect/options.ts";
import { silentLogger } from "../../lib/logger.ts";
import { within } from "./deadline.ts";
import { heardClient } from "./stdio-client.ts";
import type { HeardClient } from "./stdio-client.ts";

/** A stdio client of `connect`, in this process. */
export interface Connected extends Pick<HeardClient, "texts" | "answer"> {
  readonly connection: Connection;
  /** Ends the input when it is ended. */
  readonly input: PassThrough;
  readonly logged: readonly string[];
  readonly send: (message: object | string) => void;
}

const WAIT_MS = 5000;

/** After the test the connection is closed. */
export function connected(
  t: TestContext,
  url: string | URL,
  options: Partial<ConnectOptions> = {},
): Connected {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const { texts, write, answer } = heardClient();
  const logged: string[] = [];
  const log = (_fields: object, text: string): void => void logged.push(text);
  let rest = "";
  output.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) void write(line);
  });
  const logger = { ...silentLogger, info: log, warn: log, error: log };
  const connection = connect({ url, input, output, logger, variables: {}, ...options });
  t.after(() => within(connection.close(), WAIT_MS, "the connection closes"));
  return {
    connection,
    input,
    texts,
    logged,
    answer,
    send: (message) =>
      void input.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`),
  };
}

/** A tiny HTTP server. After the test it is closed, with all its connections. */
export async function tinyServer(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
}

/** What the tiny server was asked. */
export interface Asked {
  readonly method: string;
  /** Of the JSON-RPC message. */
  readonly rpc: string | undefined;
  readonly id: unknown;
  readonly headers: IncomingMessage["headers"];
  readonly response: ServerResponse;
  /** Answers with JSON. */
  readonly json: (status: number, value: object | string) => void;
  /** Answers with the result, under the id of the request. */
  readonly result: (value: object, headers?: Readonly<Record<string, string>>) => void;
}

/** The same, with the body read. */
export async function answeringServer(
  t: TestContext,
  answer: (asked: Asked) => void,
): Promise<{ readonly url: URL; readonly asked: readonly Asked[] }> {
  const all: Asked[] = [];
  const url = await tinyServer(t, (request, response) => {
    void readBody(request).then((text) => {
      const body = (text === "" ? {} : JSON.parse(text)) as {
        readonly id?: unknown;
        readonly method?: string;
      };
      const json: Asked["json"] = (status, value) =>
        void response
          .writeHead(status, { "content-type": "application/json" })
          .end(typeof value === "string" ? value : JSON.stringify(value));
      const asked: Asked = {
        method: request.method ?? "",
        rpc: body.method,
        id: body.id,
        headers: request.headers,
        response,
        json,
        result: (result, headers = {}) => {
          for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
          json(200, { jsonrpc: "2.0", id: body.id, result });
        },
      };
      all.push(asked);
      answer(asked);
    });
  });
  return { url, asked: all };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
