import assert from "node:assert/strict";
import { describe } from "node:test";

import { FIXTURES, STATE_SECRET, contract, contractServers } from "../contract.ts";
import { NGINX, ROUND_ROBIN } from "./balancers.ts";
import { startFleet } from "./fleet.ts";
import { sharedScope } from "./scope.ts";

const CASES = [
  { balancer: NGINX, instances: 4 },
  { balancer: ROUND_ROBIN, instances: 2 },
] as const;

// Every two requests in a row meet different instances here: whatever one of them kept for the next would be missed.
for (const { balancer, instances } of CASES) {
  describe(`behind ${balancer.name}`, { skip: balancer.skip }, () => {
    contract(`${instances} instances behind ${balancer.name}`, async (token) => {
      const scope = sharedScope();
      const mcpServers = contractServers(FIXTURES, token);
      const fleet = await startFleet(scope, {
        balancer,
        instances,
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
  });
}
