import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createEventStore } from "../../lib/event-store.ts";
import type { EventStore } from "../../lib/event-store.ts";
import { silentLogger } from "../../lib/logger.ts";
import { deferred } from "../../lib/promises.ts";
import { createOutlet } from "../../lib/sessions/outlet.ts";
import type { Connection, Outlet } from "../../lib/sessions/outlet.ts";
import { within } from "../support/deadline.ts";

const CONNECTION: Connection = {
  keepAliveMs: 60_000,
  clients: [],
  lossy: false,
  primed: false,
  retryMs: 250,
};

interface Setup {
  readonly outlet: Outlet;
  readonly disconnections: () => number;
}

function setUp(store: EventStore = createEventStore()): Setup {
  let count = 0;
  const outlet = createOutlet({
    id: "7",
    streamId: "session/7",
    store,
    logger: silentLogger,
    onDisconnect: () => void (count += 1),
  });
  return { outlet, disconnections: () => count };
}

async function connect(outlet: Outlet, connection: Partial<Connection> = {}): Promise<Response> {
  const response = await outlet.connect({ ...CONNECTION, ...connection });
  assert.ok(response);
  return response;
}

/** All events of a stream that has ended: id and data. */
async function eventsOf(response: Response): Promise<string[]> {
  const text = await within(response.text(), 5000, "the end of the stream");
  const blocks = text.split("\n\n").filter((block) => /^(?:event|id)/.test(block));
  return blocks.map((block) => block.replace(/^event: message\n/, "").replaceAll("\n", " "));
}

describe("a stream that is resumed", () => {
  test("has what came meanwhile, once, and what comes then", async () => {
    const { outlet } = setUp();
    const first = await connect(outlet);
    outlet.push('"a"');
    outlet.push('"b"');
    const second = connect(outlet, { after: 1 });
    outlet.push('"c"');
    outlet.finish();
    assert.deepEqual(await eventsOf(await second), ['id: 7.2 data: "b"', 'id: 7.3 data: "c"']);
    assert.deepEqual(await eventsOf(first), ['id: 7.1 data: "a"', 'id: 7.2 data: "b"']);
  });

  test("ends at once when all has been said", async () => {
    const { outlet } = setUp();
    outlet.push('"a"');
    outlet.finish();
    assert.deepEqual(await eventsOf(await connect(outlet, { after: 0 })), ['id: 7.1 data: "a"']);
    assert.deepEqual(await eventsOf(await connect(outlet, { after: 1 })), []);
  });

  test("without an id goes on behind what was sent last", async () => {
    const { outlet } = setUp();
    outlet.push('"unsent"');
    const first = await connect(outlet);
    await first.body?.cancel();
    outlet.push('"later"');
    const second = connect(outlet);
    outlet.finish();
    assert.deepEqual(await eventsOf(await second), ['id: 7.2 data: "later"']);
  });

  test("is refused when events are missing, unless that may be", async () => {
    const { outlet } = setUp(createEventStore({ maxEvents: 1 }));
    for (const text of ['"a"', '"b"', '"c"']) outlet.push(text);
    outlet.finish();
    assert.equal(await outlet.connect({ ...CONNECTION, after: 1 }), undefined);
    const lossy = await connect(outlet, { after: 1, lossy: true });
    assert.deepEqual(await eventsOf(lossy), ['id: 7.3 data: "c"']);
  });
});

describe("a connection", () => {
  test("begins with an id, and with the time to come back, if the client knows events without a message", async () => {
    const { outlet } = setUp();
    const connection = connect(outlet, { primed: true });
    outlet.finish();
    assert.deepEqual(await eventsOf(await connection), ["id: 7.0 retry: 250 data: "]);
    assert.equal(outlet.isResumable(), true);
  });

  test("takes the place of one before it, which is told apart from its end", async () => {
    const { outlet, disconnections } = setUp();
    const first = await connect(outlet);
    const second = await connect(outlet);
    assert.equal(outlet.isOpen(), true);
    assert.deepEqual(await eventsOf(first), []);
    await second.body?.cancel();
    assert.equal(outlet.isOpen(), false);
    assert.equal(disconnections(), 2);
  });
});

test("of connections that follow each other two may still be read, and those before are cut", async () => {
  const { outlet } = setUp();
  const cut: number[] = [];
  outlet.push('"a"');
  for (const count of [1, 2, 3, 4]) {
    await connect(outlet, { after: 0, clients: [{ cut: () => cut.push(count) }] });
    if (count === 2) outlet.finish();
  }
  assert.deepEqual(cut, [1, 2]);
});

describe("a store of the operator's own", () => {
  test("may take its time: events keep their order", async () => {
    const kept = createEventStore();
    const [asked, written] = [deferred(), deferred()];
    const slow: EventStore = {
      ...kept,
      store: async (streamId, event) => {
        asked.resolve();
        if (event.index === 1) await written.promise;
        await kept.store(streamId, event);
      },
    };
    const { outlet } = setUp(slow);
    const connection = connect(outlet);
    outlet.push('"a"');
    outlet.push('"b"');
    outlet.finish();
    await within(asked.promise, 5000, "the store has the first event");
    written.resolve();
    assert.deepEqual(await eventsOf(await connection), ['id: 7.1 data: "a"', 'id: 7.2 data: "b"']);
  });

  test("may fail: what is connected gets its events all the same", async () => {
    const failing: EventStore = {
      ...createEventStore(),
      store: () => Promise.reject(new Error("disk full")),
    };
    const { outlet } = setUp(failing);
    const connection = connect(outlet);
    outlet.push('"a"');
    outlet.finish();
    assert.deepEqual(await eventsOf(await connection), ['id: 7.1 data: "a"']);
  });
});
