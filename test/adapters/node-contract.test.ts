import { serve } from "../../lib/adapters/node.ts";
import { FIXTURES, contract, contractServers } from "../contract.ts";

contract("the Node adapter", async (token) => {
  const server = await serve({ mcpServers: contractServers(FIXTURES, token), port: 0 });
  return {
    fetch: (path, init) => fetch(server.url + path, init),
    settled: () => Promise.resolve([]),
    stop: () => server.close(),
  };
});
