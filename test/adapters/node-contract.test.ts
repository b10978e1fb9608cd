import { serve } from "../../lib/adapters/node.ts";
import { FIXTURES, STATE_SECRET, contract, contractServers } from "../contract.ts";

contract("the Node adapter", async (token) => {
  const server = await serve({
    mcpServers: contractServers(FIXTURES, token),
    port: 0,
    stateSecrets: [STATE_SECRET],
  });
  return {
    fetch: (path, init) => fetch(server.url + path, init),
    settled: () => Promise.resolve([]),
    stop: () => server.close(),
  };
});
