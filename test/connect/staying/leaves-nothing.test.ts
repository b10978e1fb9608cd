import { deepEqual } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

import { within } from "../../support/deadline.ts";
import {
  accept,
  event,
  greets,
  initializeResult,
  json,
  remoteServer,
  result,
  stream,
} from "../../support/remote-server.ts";
import { call, initialize, notification } from "../../support/rpc.ts";

/** A program that connects, calls, closes, and has nothing else to do. */
const PROGRAM = `
  const { createRemoteHttp } = await import("./lib/connect/wire/http.ts");
  const { messageOf } = await import("./lib/jsonrpc.ts");
  const { stayConnected } = await import("./lib/connect/staying/staying-connected.ts");
  const { openStreamable } = await import("./lib/connect/sessions/streamable.ts");
  const { openHttpSse } = await import("./lib/connect/sessions/http-sse.ts");
  const { silentLogger: logger } = await import("./lib/logger.ts");
  const [by, address, ...texts] = JSON.parse(process.env.GIVEN);
  const [url, http] = [new URL(address), await createRemoteHttp({ headers: {}, variables: {} })];
  const open = by === "http" ? openStreamable : openHttpSse;
  const [initialize, ...messages] = texts.map((text) => messageOf(text));
  const heard = new Promise((resolve) => (globalThis.hear = resolve));
  const remote = await stayConnected(
    {
      open: (first, events, signal) => open({ url, http, maxMessageBytes: 1e6, logger }, first, events, signal),
      hear: (message) => globalThis.hear(message),
      ...{ initialize, name: address, logger, pingIntervalMs: 60_000 },
    },
    new AbortController().signal,
  );
  for (const message of messages) await remote.send(message);
  await heard;
  await remote.close();
  await http.close();
  console.log("closed");
`;

for (const by of ["http", "sse"]) {
  test(`after close nothing keeps the process (${by})`, async (t) => {
    const server = await remoteServer(t, (seen, { of }) => {
      const { method, body } = seen;
      if (by === "http" && greets(seen)) return;
      if (method === "DELETE") return void seen.response.writeHead(405).end();
      if (method === "GET") {
        stream(seen);
        if (by === "sse") event(seen, "/messages", { type: "endpoint" });
        return;
      }
      const answer = body.method === "initialize" ? initializeResult(body.id) : result(body.id);
      if (by === "http") return json(seen, answer);
      accept(seen);
      const [opened] = of("GET");
      if (opened && body.id !== undefined) event(opened, answer);
    });
    const messages = [initialize(), notification("notifications/initialized"), call("tool", {}, { id: 1 })];
    const given = JSON.stringify([by, server.url.href, ...messages.map((one) => JSON.stringify(one))]);
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", PROGRAM], {
      env: { ...process.env, GIVEN: given },
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    let said = "";
    child.stdout.on("data", (piece) => (said += String(piece)));
    const [code] = await within(once(child, "close"), 10_000, "the end of the process");
    deepEqual([code, said], [0, "closed\n"]);
  });
}
