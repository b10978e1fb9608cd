import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";

import type { Scope } from "../support/files.ts";
import { INSTANCE } from "./instance-header.ts";
import type { RunningBalancer } from "./running-balancer.ts";

/** The least that a balancer does: turns, streams that are passed on at once, and the next one where nobody listens. */
export async function startRoundRobin(scope: Scope, instances: readonly string[]): Promise<RunningBalancer> {
  const passing = new Set<Promise<void>>();
  let [turn, order] = [0, instances];
  const server = createServer((incoming, outgoing) => {
    const first = turn++ % order.length;
    const passed = pass(incoming, outgoing, [...order.slice(first), ...order.slice(0, first)])
      .catch((error: Error) => void outgoing.destroy(error))
      .finally(() => passing.delete(passed));
    passing.add(passed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async sendOnlyTo(some) {
      order = some;
      await Promise.all(passing);
    },
  };
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
    return pipeline(answer, outgoing);
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
