import { createHandler } from "../lib/index.ts";
import { FIXTURES, STATE_SECRET, contract, contractServers } from "./contract.ts";

contract("handler.fetch in memory", async (token) => {
  const ends = new Set<Promise<unknown>>();
  const handler = createHandler({
    mcpServers: contractServers(FIXTURES, token),
    allowAnonymous: true,
    stateSecrets: [STATE_SECRET],
  });
  return Promise.resolve({
    fetch: async (path, init) => {
      const request = new Request(`http://localhost${path}`, init);
      const response = await handler.fetch(request, { waitUntil: (promise) => ends.add(promise) });
      init?.signal?.throwIfAborted();
      return response;
    },
    settled: async () => {
      await Promise.all(ends);
      return [];
    },
    stop: () => handler.close(),
  });
});
