import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { deferred } from "../../lib/promises.ts";

/** What a function is called with. */
export interface Invoke {
  readonly event: unknown;
  /** Milliseconds that the function has. */
  readonly timeoutMs?: number;
  readonly clientContext?: object;
}

/** What the runtime posts for an invocation: a response, of which the body may still come, or an error. */
export type Posted =
  | { readonly kind: "response"; readonly body: IncomingMessage }
  | { readonly kind: "error"; readonly body: IncomingMessage };

/**
 * The Runtime API of one execution environment, which has one invocation at a time.
 * Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".
 */
export interface RuntimeApi {
  readonly address: string;
  /** Resolves with the head of what is posted; rejects when there is no runtime any more. */
  invoke(invoke: Invoke): Promise<Posted>;
  /** Resolves when the runtime asks for the next invocation: from then on the platform may freeze everything. */
  idle(): Promise<void>;
  /** Nobody asks or posts any more: who waits for that gets the error. */
  fail(error: Error): void;
  close(): void;
}

const NEXT = "/2018-06-01/runtime/invocation/next";
const DEFAULT_TIMEOUT_MS = 60_000;

export async function startRuntimeApi(): Promise<RuntimeApi> {
  let asks = deferred<ServerResponse>();
  let posted = deferred<Posted>();
  const failed = deferred<Error>();
  const orFailed = <Value>(promise: Promise<Value>): Promise<Value> =>
    Promise.race([promise, failed.promise.then((error) => Promise.reject(error))]);
  let count = 0;
  const server = createServer((request, response) => {
    if (request.url === NEXT) asks.resolve(response);
    else take(request, response, posted.resolve);
  });
  // The platform keeps the connection of a function at rest, and the runtime does not expect to lose it.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async invoke(invoke) {
      const runtime = await orFailed(asks.promise);
      asks = deferred();
      posted = deferred();
      count += 1;
      runtime.writeHead(200, headersOf(invoke, `invocation-${count}`));
      runtime.end(JSON.stringify(invoke.event));
      return orFailed(posted.promise);
    },
    idle: async () => void (await orFailed(asks.promise)),
    fail: failed.resolve,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function take(request: IncomingMessage, response: ServerResponse, resolve: (posted: Posted) => void): void {
  const kind = request.url?.endsWith("/response") ? "response" : "error";
  resolve({ kind, body: request });
  request.once("end", () => response.writeHead(202).end('{"status":"OK"}'));
}

function headersOf({ timeoutMs = DEFAULT_TIMEOUT_MS, clientContext }: Invoke, id: string) {
  return {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": id,
    "Lambda-Runtime-Deadline-Ms": String(Date.now() + timeoutMs),
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:111122223333:function:mayfly",
    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
    ...(clientContext && { "Lambda-Runtime-Client-Context": JSON.stringify(clientContext) }),
  };
}
