import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import * as z from "zod";

const READ_ONLY = { readOnlyHint: true };
const QUESTIONS = {
  name: { message: "What is your name?", type: "string" },
  age: { message: "How old are you?", type: "integer" },
};

const server = new McpServer({ name: "legacy-only", version: "1.0.0" });

server.registerTool("echo", { inputSchema: { message: z.string() } }, ({ message }) => text(message));

server.registerTool(
  "progress",
  { inputSchema: { gate: z.string() } },
  async ({ gate }, { _meta, sendNotification }) => {
    for (let progress = 1; progress <= 3; progress++) {
      const params = { progressToken: _meta?.progressToken, progress, total: 3 };
      await sendNotification({ method: "notifications/progress", params });
      await opened(gate + progress);
    }
    return text("3 steps done");
  },
);

server.registerTool("structured", { outputSchema: { numbers: z.array(z.number()) } }, () => ({
  ...text('{"numbers":[1,2,3]}'),
  structuredContent: { numbers: [1, 2, 3] },
}));

server.registerTool("slow", { inputSchema: { file: z.string() } }, async ({ file }, { signal }) => {
  readBeforeEnding();
  appendFileSync(file, `started ${process.pid}\n`);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  appendFileSync(file, `aborted ${process.pid}\n`);
  return text("aborted");
});

server.registerTool("ask", { annotations: READ_ONLY }, () => interview("name"));
server.registerTool("ask-two", { annotations: READ_ONLY }, () => interview("name", "age"));

await server.connect(new StdioServerTransport());

/** Until somebody has made the file. */
async function opened(file) {
  while (!existsSync(file)) await delay(5);
}

/** On a busy machine SIGTERM may come before what was written to stdin has been read. The end of stdin ends it too. */
function readBeforeEnding() {
  process.once("SIGTERM", () => undefined);
}

/** Asks one question after the other, and tells the answers and the process that heard them all. */
async function interview(...names) {
  const told = {};
  for (const name of names) {
    const { action, content } = await server.server.elicitInput(formOf(name));
    if (action !== "accept") return text(`no ${name}: ${action}`);
    told[name] = content[name];
  }
  return text(JSON.stringify({ ...told, pid: process.pid }));
}

function formOf(name) {
  const { message, type } = QUESTIONS[name];
  return { message, requestedSchema: { type: "object", properties: { [name]: { type } }, required: [name] } };
}

function text(value) {
  return { content: [{ type: "text", text: value }] };
}
