import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import { call, request } from "../support/rpc.ts";
import { sameThroughChain } from "./rig/chain.ts";
import { stdioServer } from "./rig/remotes.ts";

const NAMES = { elicitation: {}, sampling: {}, roots: { listChanged: true } };

test("progress, log lines, questions and changes come through the chain as from the server itself", async () => {
  const note = { uri: "note://one" };
  await sameThroughChain(() => stdioServer("legacy"), {
    initialize: { capabilities: NAMES },
    requests: [
      request("tools/list", undefined, 1),
      call("progress", { steps: 3 }, { id: "two", meta: { progressToken: "steps" } }),
      call("progress", { steps: 2 }, { id: 3, meta: { progressToken: 7 } }),
      call("log", {}, { id: 4 }),
      call("ask", {}, { id: 5 }),
      call("sample", {}, { id: 6 }),
      call("roots", {}, { id: 7 }),
      request("resources/subscribe", note, 8),
      request("resources/read", note, 9),
      request("prompts/get", { name: "greet" }, 10),
      request("logging/setLevel", { level: "info" }, 11),
      request("ping", undefined, 12),
      request("example.com/custom", { value: "kept" }, 13),
      request("example.com/nothing", {}, 14),
      call("no-such-tool", {}, { id: 15 }),
      call("echo", { message: "Grüße 👋 \u2028 \0" }, { id: 16 }),
      call("touch", note, { id: 17 }),
    ],
    answers: {
      "elicitation/create": { action: "accept", content: { name: "Ephemera" } },
      "sampling/createMessage": { model: "none", role: "assistant", content: { type: "text", text: "six" } },
      "roots/list": { roots: [{ uri: "file:///a/root" }] },
    },
    after: 1,
  });
});

test("unknown members, large numbers and odd spellings come through the chain byte for byte", async (t) => {
  const file = join(await temporaryFolder(t), "answer");
  const odd = String.raw`{ "result" : {"n":9007199254740993,"x":1E400,"d":1,"d":2,"t":"\u00e9\/\ud83d","content":[]} ,"id":"@id", "jsonrpc":"2.0","extra":[ ] }`;
  await writeFile(file, odd);
  const start = () => fixture("verbatim", file);
  await sameThroughChain(start, { requests: [call("call", {}, { id: 1 }), call("call", {}, { id: "two" })] });
});

test("a result of 20 MiB comes through the chain byte for byte", async () => {
  await sameThroughChain(() => fixture("big"), { requests: [call("big", {}, { id: 1 })] });
});
