import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { until } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { BALANCER, LONG } from "./balancers.ts";
import { startFleet } from "./fleet.ts";
import type { Fleet, Instance } from "./fleet.ts";
import { fixtureServers } from "./servers.ts";
import { startTraffic } from "./traffic.ts";
import type { Sent, Traffic } from "./traffic.ts";

const WAIT_MS = 30_000;
const CLIENTS = 6;
const CALL_MS = 300;
/** Answers that show that an instance has its share. */
const SHARE = 3;

interface Running {
  readonly fleet: Fleet;
  readonly first: Instance;
  readonly second: Instance;
  readonly traffic: Traffic;
  /** The calls that servers have run, in their order. */
  readonly ran: () => Promise<readonly string[]>;
}

async function run(t: TestContext): Promise<Running> {
  const token = testToken();
  const file = join(await temporaryFolder(t), "calls");
  const mcpServers = fixtureServers(token, ["notes-calls"]);
  const fleet = await startFleet(t, { balancer: BALANCER, instances: 2, mcpServers, token });
  const [first, second] = fleet.instances;
  assert.ok(first && second);
  const traffic = startTraffic({ url: `${fleet.url}/mcp`, file, clients: CLIENTS, callMs: CALL_MS });
  t.after(() => traffic.end());
  const ran = async (): Promise<readonly string[]> => (await readFile(file, "utf8")).trim().split("\n");
  return { fleet, first, second, traffic, ran };
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

function lostOf(sent: readonly Sent[]): readonly Sent[] {
  return sent.filter((one) => !isAnswered(one));
}

/**
 * No call ran twice: what a balancer sends again may have had effects.
 * @returns the calls that ran
 */
async function assertRanOnce({ ran }: Running, sent: readonly Sent[]): Promise<readonly string[]> {
  const keys = await ran();
  assert.equal(new Set(keys).size, keys.length, "a call ran twice");
  const missing = sent.filter((one) => isAnswered(one) && !keys.includes(one.key));
  assert.deepEqual(missing, []);
  return keys;
}

describe(`an instance behind ${BALANCER.name} in the middle of traffic`, { skip: LONG }, () => {
  test("that is taken out of the balancer before it is told to stop loses nothing", async (t) => {
    const running = await run(t);
    const { fleet, first, second, traffic } = running;
    await answersFrom(first, traffic, SHARE);
    await fleet.sendOnlyTo([second]);
    const outAt = performance.now();
    first.process.kill("SIGTERM");
    assert.equal((await first.exit()).code, 0);
    await answersFrom(second, traffic, SHARE);
    const restarted = await fleet.restart(first);
    const backAt = performance.now();
    await fleet.sendOnlyTo([restarted, second]);
    await answersFrom(restarted, traffic, SHARE);
    const sent = await traffic.end();
    assert.deepEqual(lostOf(sent), []);
    const meanwhile = sent.filter(({ startedAt }) => startedAt >= outAt && startedAt < backAt);
    assert.ok(meanwhile.length >= SHARE && meanwhile.every((one) => one.instance === second.address));
    await assertRanOnce(running, sent);
  });

  test("that is only told to stop answers all that it runs: what it cuts off has not run, and has just come", async (t) => {
    const running = await run(t);
    const { fleet, first, second, traffic } = running;
    await answersFrom(first, traffic, SHARE);
    const toldAt = performance.now();
    first.process.kill("SIGTERM");
    assert.equal((await first.exit()).code, 0);
    const endedAt = performance.now();
    await answersFrom(second, traffic, SHARE);
    await answersFrom(await fleet.restart(first), traffic, SHARE);
    const sent = await traffic.end();
    const ran = await assertRanOnce(running, sent);
    for (const lost of lostOf(sent)) {
      assert.ok(!ran.includes(lost.key), "may be sent again");
      assert.ok(lost.startedAt < endedAt && lost.endedAt > toldAt, JSON.stringify(lost));
    }
  });

  test("that is killed loses what it was doing, and nothing else", async (t) => {
    const running = await run(t);
    const { fleet, first, second, traffic } = running;
    await answersFrom(first, traffic, SHARE);
    const killedAt = performance.now();
    first.process.kill("SIGKILL");
    await first.exit();
    // Until then the system may still accept connections for it.
    const goneAt = performance.now();
    await answersFrom(second, traffic, 2 * SHARE);
    await answersFrom(await fleet.restart(first), traffic, SHARE);
    const sent = await traffic.end();
    const lost = lostOf(sent);
    assert.ok(lost.length > 0 && lost.length <= CLIENTS, JSON.stringify(lost));
    // Each was on its way to the instance while it died.
    for (const { startedAt, endedAt } of lost) {
      assert.ok(startedAt < goneAt && endedAt >= killedAt, JSON.stringify(lost));
    }
    await assertRanOnce(running, sent);
  });
});
