import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";

/** A forwarding proxy, and what it was asked for. */
export interface TestProxy {
  readonly url: string;
  readonly asked: readonly { readonly line: string; readonly headers: IncomingHttpHeaders }[];
}

/**
 * A proxy that takes every host for this machine, so that a test may name any; after the test it is gone.
 * @param status what it answers in place of going on; 0 says nothing at all
 */
export async function startProxy(t: TestContext, status?: number): Promise<TestProxy> {
  const asked: { line: string; headers: IncomingHttpHeaders }[] = [];
  const sockets = new Set<Socket>();
  const note = ({ method, url, headers }: IncomingMessage): void => {
    asked.push({ line: `${method} ${url}`, headers });
  };
  const server = createServer((request, response) => {
    note(request);
    if (status === undefined) forward(request, response);
    else response.writeHead(status).end();
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    note(request);
    socket.on("error", () => socket.destroy());
    if (status === undefined) tunnel(request, socket, sockets);
    else if (status > 0) socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function forward(request: IncomingMessage, response: ServerResponse): void {
  const { port, pathname, search } = new URL(request.url ?? "");
  const { method, headers } = request;
  const onward = httpRequest({ host: "127.0.0.1", port, path: pathname + search, method, headers });
  onward.on("error", () => response.destroy());
  onward.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  request.pipe(onward);
}

function tunnel({ url = "" }: IncomingMessage, socket: Socket, sockets: Set<Socket>): void {
  const onward = connect(Number(url.split(":").at(-1)), "127.0.0.1", () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    socket.pipe(onward).pipe(socket);
  });
  sockets.add(onward);
  onward.on("error", () => socket.destroy());
  onward.on("close", () => socket.destroy());
  socket.on("close", () => onward.destroy());
}
