// A server of SDK v2 over HTTP, without sessions. With --modern-only it refuses the handshake.
import { serve } from "@hono/node-server";
import { createMcpHandler } from "@modelcontextprotocol/server";

import { createServer, ticking } from "./_server.mjs";

const changes = {
  toolsChanged: () => handler.notify.toolsChanged(),
  resourceUpdated: (uri) => handler.notify.resourceUpdated(uri),
};
const legacy = process.argv.includes("--modern-only") ? "reject" : "stateless";
const handler = createMcpHandler(() => createServer("http", changes), { legacy });

ticking(changes.resourceUpdated);
serve({ fetch: handler.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) =>
  console.log(`listening on http://127.0.0.1:${port}/`),
);
process.stdin.once("end", () => process.exit()).resume();
