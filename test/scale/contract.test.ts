import assert from "node:assert/strict";

import { FIXTURES, STATE_SECRET, contract, contractServers } from "../contract.ts";
import { BALANCER } from "./balancers.ts";
import { startFleet } from "./fleet.ts";
import { sharedScope } from "../support/shared-scope.ts";

const INSTANCES = 2;

// Every two requests in a row meet different instances here: whatever one of them kept for the next would be missed.
contract(`${INSTANCES} instances behind ${BALANCER.name}`, async (token) => {
  const scope = sharedScope();
  const mcpServers = contractServers(FIXTURES, token);
  const fleet = await startFleet(scope, {
    balancer: BALANCER,
    instances: INSTANCES,
    mcpServers,
    token,
    env: { STATE_SECRET },
  });
  return {
    fetch: (path, init) => fetch(fleet.url + path, init),
    settled: () => Promise.resolve([]),
    async stop() {
      const shares = fleet.logged();
      await scope.end();
      assert.ok(
        shares.every((share) => share >= 5),
        `requests by instance: ${shares.join(", ")}`,
      );
    },
  };
});
