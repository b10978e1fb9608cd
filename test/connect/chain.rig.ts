// Servers as people run them, through `mayfly connect` and Mayfly's /sse.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../support/files.ts";
import { call, request } from "../support/rpc.ts";
import { sameThroughChain } from "./rig/chain.ts";
import { programOf } from "./rig/programs.ts";
import { stdioServer } from "./rig/remotes.ts";

test("server-everything", async () => {
  const completion = {
    ref: { type: "ref/prompt", name: "completable-prompt" },
    argument: { name: "department", value: "E" },
  };
  await sameThroughChain(() => stdioServer("everything"), {
    requests: [
      request("tools/list", undefined, 1),
      request("prompts/list", undefined, 2),
      request("resources/list", undefined, 3),
      request("resources/templates/list", undefined, 4),
      call("echo", { message: "hello" }, { id: 5 }),
      call("get-sum", { a: 2, b: 3 }, { id: 6 }),
      call("get-structured-content", { location: "Chicago" }, { id: 7 }),
      call("get-tiny-image", {}, { id: 8 }),
      call("get-annotated-message", { messageType: "error", includeImage: true }, { id: 9 }),
      call("get-resource-links", { count: 3 }, { id: 10 }),
      request("prompts/get", { name: "args-prompt", arguments: { city: "Oslo" } }, 11),
      request("completion/complete", completion, 12),
      call(
        "trigger-long-running-operation",
        { duration: 0.3, steps: 3 },
        { id: 13, meta: { progressToken: "p" } },
      ),
      call("no-such-tool", {}, { id: 14 }),
      request("logging/setLevel", { level: "warning" }, 15),
    ],
  });
});

test("server-filesystem", async (t) => {
  const folder = join(await temporaryFolder(t), "files");
  await mkdir(folder);
  await writeFile(join(folder, "hello.txt"), "Grüße aus der Datei\n");
  const program = {
    command: process.execPath,
    args: [programOf("@modelcontextprotocol/server-filesystem"), folder],
  };
  await sameThroughChain(() => program, {
    requests: [
      request("tools/list", undefined, 1),
      call("read_text_file", { path: join(folder, "hello.txt") }, { id: 2 }),
      call("write_file", { path: join(folder, "new.txt"), content: "written" }, { id: 3 }),
      call("list_directory", { path: folder }, { id: 4 }),
      call("read_text_file", { path: join(folder, "..", "outside") }, { id: 5 }),
    ],
  });
});

test("server-memory", async (t) => {
  const folder = await temporaryFolder(t);
  const entities = [{ name: "Ephemera", entityType: "insect", observations: ["lives for a day"] }];
  let runs = 0;
  const start = () => ({
    command: process.execPath,
    args: [programOf("@modelcontextprotocol/server-memory")],
    env: { MEMORY_FILE_PATH: join(folder, `${(runs += 1)}.jsonl`) },
  });
  await sameThroughChain(start, {
    requests: [
      request("tools/list", undefined, 1),
      call("create_entities", { entities }, { id: 2 }),
      call("read_graph", {}, { id: 3 }),
      call("search_nodes", { query: "day" }, { id: 4 }),
    ],
  });
});
