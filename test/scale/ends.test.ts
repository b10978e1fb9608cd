import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { NGINX, ROUND_ROBIN } from "./balancers.ts";
import type { Balancer } from "./balancers.ts";
import { startFleet } from "./fleet.ts";
import type { Fleet, Instance } from "./fleet.ts";
import { fixtureServers } from "./servers.ts";
import { startTraffic } from "./traffic.ts";
import type { Sent, Traffic } from "./traffic.ts";

const WAIT_MS = 30_000;
const CLIENTS = 6;
const CALL_MS = 100;

interface Running {
  readonly fleet: Fleet;
  readonly first: Instance;
  readonly traffic: Traffic;
  /** The calls that servers have run, in their order. */
  readonly ran: () => Promise<readonly string[]>;
}

async function run(t: TestContext, balancer: Balancer): Promise<Running> {
  const token = testToken();
  const file = join(await temporaryFolder(t), "calls");
  const mcpServers = fixtureServers(token, ["notes-calls"]);
  const fleet = await startFleet(t, { balancer, instances: 2, mcpServers, token });
  const [first] = fleet.instances;
  assert.ok(first);
  const traffic = startTraffic({ url: `${fleet.url}/mcp`, file, clients: CLIENTS, callMs: CALL_MS });
  t.after(() => traffic.end());
  const ran = async (): Promise<readonly string[]> => (await readFile(file, "utf8")).trim().split("\n");
  return { fleet, first, traffic, ran };
}

/** Waits for so many answers from there that began after now. */
async function answersFrom(instance: Instance, { sent }: Traffic, number: number): Promise<void> {
  const since = performance.now();
  const count = (): number =>
    sent.filter((one) => one.startedAt > since && one.instance === instance.address && isAnswered(one))
      .length;
  await until(() => count() >= number, {
    withinMs: WAIT_MS,
    label: () => `${number} answers from ${instance.address}, in ${JSON.stringify(sent.slice(-5))}`,
  });
}

function isAnswered({ outcome }: Sent): boolean {
  return outcome === "answered";
}

/** No call ran twice: what a balancer sends again may have had effects. */
async function assertRanOnce({ ran }: Running, sent: readonly Sent[]): Promise<void> {
  const keys = await ran();
  assert.equal(new Set(keys).size, keys.length, "a call ran twice");
  const missing = sent.filter((one) => isAnswered(one) && !keys.includes(one.key));
  assert.deepEqual(missing, []);
}

for (const balancer of [NGINX, ROUND_ROBIN]) {
  describe(`an instance behind ${balancer.name} in the middle of traffic`, { skip: balancer.skip }, () => {
    test("that is told to stop answers all that it runs, and cuts off at most one that comes in that instant", async (t) => {
      const running = await run(t, balancer);
      const { fleet, first, traffic } = running;
      const [, second] = fleet.instances;
      assert.ok(second);
      await answersFrom(first, traffic, CLIENTS);
      first.process.kill("SIGTERM");
      assert.equal((await first.exit()).code, 0);
      await answersFrom(second, traffic, CLIENTS);
      await answersFrom(await fleet.restart(first), traffic, CLIENTS);
      const sent = await traffic.end();
      const lost = sent.filter((one) => !isAnswered(one));
      assert.ok(lost.length <= 1, JSON.stringify(lost));
      await assertRanOnce(running, sent);
      // What was cut off has not run: it may be sent again.
      assert.equal((await running.ran()).length, sent.length - lost.length);
    });

    test("that is killed loses what it was doing, and nothing else", async (t) => {
      const running = await run(t, balancer);
      const { fleet, first, traffic } = running;
      const [, second] = fleet.instances;
      assert.ok(second);
      await answersFrom(first, traffic, CLIENTS);
      const killedAt = performance.now();
      first.process.kill("SIGKILL");
      await first.exit();
      await answersFrom(second, traffic, 2 * CLIENTS);
      await answersFrom(await fleet.restart(first), traffic, CLIENTS);
      const sent = await traffic.end();
      const lost = sent.filter((one) => !isAnswered(one));
      assert.ok(lost.length > 0 && lost.length <= CLIENTS, JSON.stringify(lost));
      // Each was on its way when the instance died.
      for (const { startedAt, endedAt } of lost) assert.ok(startedAt < killedAt && endedAt >= killedAt);
      await assertRanOnce(running, sent);
    });
  });
}
