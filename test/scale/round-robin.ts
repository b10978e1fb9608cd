import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { Scope } from "../support/files.ts";
import { INSTANCE } from "./instance-header.ts";

/** The least that a balancer does: turns, streams that are passed on at once, and the next one where nobody listens. */
export async function startRoundRobin(scope: Scope, instances: readonly string[]): Promise<string> {
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    const first = turn++ % instances.length;
    const order = [...instances.slice(first), ...instances.slice(0, first)];
    pass(incoming, outgoing, order).catch((error: Error) => outgoing.destroy(error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  instances: readonly string[],
): Promise<void> {
  const body = Buffer.concat((await incoming.toArray()) as Buffer[]);
  for (const instance of instances) {
    const answer = await ask(instance, incoming, outgoing, body);
    if (answer === "nobody listens") continue;
    outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, [INSTANCE]: instance });
    outgoing.flushHeaders();
    // An instance that is killed breaks its answer off, and so do we.
    answer.once("error", () => outgoing.destroy());
    answer.pipe(outgoing);
    return;
  }
  outgoing.writeHead(502).end();
}

/** Only a connection that was refused has surely done nothing: whatever else fails may have been run. */
async function ask(
  instance: string,
  { method = "GET", url = "/", headers }: IncomingMessage,
  outgoing: ServerResponse,
  body: Buffer,
): Promise<IncomingMessage | "nobody listens"> {
  const passed = request(`http://${instance}${url}`, { method, headers, agent: false });
  outgoing.once("close", () => passed.destroy());
  passed.end(body);
  try {
    const [answer] = (await once(passed, "response")) as [IncomingMessage];
    return answer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return "nobody listens";
    throw error;
  }
}
