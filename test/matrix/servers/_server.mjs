import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import {
  McpServer,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
} from "@modelcontextprotocol/server";
import * as z from "zod";

const READ_ONLY = { readOnlyHint: true };
const QUESTIONS = {
  name: { message: "What is your name?", requestedSchema: z.object({ name: z.string() }) },
  age: { message: "How old are you?", requestedSchema: z.object({ age: z.int() }) },
};

/** The server of SDK v2, for both eras: the tools of legacy-only.mjs under the same names. */
export function createServer(name) {
  // Every round may reach another process: what was told so far travels with the request, signed.
  const state = createRequestStateCodec({ key: process.env.STATE_KEY });
  const verify = (sealed, context) => state.verify(sealed, context);
  const server = new McpServer({ name, version: "1.0.0" }, { requestState: { verify } });
  registerTools(server);
  registerAskingTools(server, state);
  return server;
}

function registerTools(server) {
  server.registerTool("echo", { inputSchema: z.object({ message: z.string() }) }, ({ message }) =>
    text(message),
  );

  server.registerTool(
    "progress",
    { inputSchema: z.object({ gate: z.string() }) },
    async ({ gate }, { mcpReq }) => {
      for (let progress = 1; progress <= 3; progress++) {
        const params = { progressToken: mcpReq._meta?.progressToken, progress, total: 3 };
        await mcpReq.notify({ method: "notifications/progress", params });
        await opened(gate + progress);
      }
      return text("3 steps done");
    },
  );

  server.registerTool("structured", { outputSchema: z.array(z.number()) }, () => ({
    ...text("[1,2,3]"),
    structuredContent: [1, 2, 3],
  }));

  server.registerTool(
    "slow",
    { inputSchema: z.object({ file: z.string() }) },
    async ({ file }, { mcpReq }) => {
      readBeforeEnding();
      appendFileSync(file, `started ${process.pid}\n`);
      await new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve));
      appendFileSync(file, `aborted ${process.pid}\n`);
      return text("aborted");
    },
  );
}

/** Until somebody has made the file. */
async function opened(file) {
  while (!existsSync(file)) await delay(5);
}

/** On a busy machine SIGTERM may come before what was written to stdin has been read. The end of stdin ends it too. */
function readBeforeEnding() {
  process.once("SIGTERM", () => undefined);
}

function registerAskingTools(server, state) {
  const register = (tool, ...names) =>
    server.registerTool(tool, { annotations: READ_ONLY }, (context) => interview(names, state, context));
  register("ask", "name");
  register("ask-two", "name", "age");
}

/** Asks for the first that is missing, or tells all answers and the process that heard the last of them. */
async function interview(names, state, { mcpReq }) {
  const told = { ...mcpReq.requestState() };
  for (const name of names) {
    if (told[name] !== undefined) continue;
    const { kind, action, content } = inputResponse(mcpReq.inputResponses, name);
    if (kind === "missing") return question(name, await state.mint(told));
    if (action !== "accept") return text(`no ${name}: ${action}`);
    told[name] = content[name];
  }
  return text(JSON.stringify({ ...told, pid: process.pid }));
}

function question(name, requestState) {
  return inputRequired({ inputRequests: { [name]: inputRequired.elicit(QUESTIONS[name]) }, requestState });
}

function text(value) {
  return { content: [{ type: "text", text: value }] };
}
