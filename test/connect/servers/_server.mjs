import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { McpServer, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import * as z from "zod";

const NOTE = "note://one";
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: {},
  resources: { subscribe: true },
  logging: {},
};
const QUESTION = { role: "user", content: { type: "text", text: "How many legs?" } };

/**
 * A server of SDK v2 for both eras, with the tools of legacy.mjs.
 * @param changes tells of a change where the server itself cannot, as in HTTP without sessions
 */
export function createServer(name, changes) {
  const server = new McpServer(
    { name, version: "1.0.0" },
    { capabilities: CAPABILITIES, instructions: "Read this." },
  );
  addTools(server);
  addQuestions(server);
  addChanges(server, changes ?? ownChanges(server));
  addLists(server);
  return server;
}

/** A resource that changes by itself, to be seen also where every request has another process. */
export function ticking(resourceUpdated) {
  setInterval(() => void resourceUpdated("note://ticking"), 100).unref();
}

function addTools(server) {
  server.registerTool("echo", { inputSchema: z.object({ message: z.string() }) }, ({ message }) =>
    text(message),
  );
  server.registerTool(
    "progress",
    { inputSchema: z.object({ steps: z.int() }) },
    async ({ steps }, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (let progress = 1; progress <= steps; progress++) {
        const params = { progressToken, progress, total: steps };
        await mcpReq.notify({ method: "notifications/progress", params });
        // The clients forget the token with the result, and handle what comes together with it later.
        await delay(20);
      }
      return text(`${steps} steps`);
    },
  );
  server.registerTool(
    "slow",
    { inputSchema: z.object({ file: z.string() }) },
    async ({ file }, { mcpReq }) => {
      // On a busy machine SIGTERM may come before what was written to stdin has been read. The end of stdin ends it too.
      process.once("SIGTERM", () => undefined);
      appendFileSync(file, "called\n");
      await new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve));
      appendFileSync(file, "cancelled\n");
      return text("cancelled");
    },
  );
  server.registerTool("log", {}, async ({ mcpReq }) => {
    await mcpReq.log("warning", "a line of the log");
    return text("logged");
  });
}

function addQuestions(server) {
  const form = { message: "What is your name?", requestedSchema: z.object({ name: z.string() }) };
  const questions = {
    ask: () => inputRequired.elicit(form),
    sample: () => inputRequired.createMessage({ messages: [QUESTION], maxTokens: 10 }),
    roots: () => inputRequired.listRoots(),
  };
  for (const [name, question] of Object.entries(questions)) {
    server.registerTool(name, { annotations: { readOnlyHint: true } }, ({ mcpReq }) => {
      const { kind } = inputResponse(mcpReq.inputResponses, "it");
      if (kind === "missing") return inputRequired({ inputRequests: { it: question() } });
      return text(JSON.stringify(mcpReq.inputResponses.it));
    });
  }
}

function addChanges(server, { toolsChanged, resourceUpdated }) {
  server.registerTool("change", {}, () => later(toolsChanged));
  server.registerTool("touch", { inputSchema: z.object({ uri: z.string() }) }, ({ uri }) =>
    later(() => resourceUpdated(uri)),
  );
}

function ownChanges(server) {
  ticking((uri) => server.isConnected() && server.server.sendResourceUpdated({ uri }));
  return {
    toolsChanged: () => server.sendToolListChanged(),
    resourceUpdated: (uri) => server.server.sendResourceUpdated({ uri }),
  };
}

function addLists(server) {
  server.registerPrompt("greet", {}, () => ({
    messages: [{ role: "user", content: { type: "text", text: "Hello" } }],
  }));
  server.registerResource("one", NOTE, { mimeType: "text/plain" }, () => ({
    contents: [{ uri: NOTE, text: "written" }],
  }));
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
  const params = z.object({ value: z.string() });
  server.server.setRequestHandler("example.com/custom", { params }, ({ value }) => ({ given: value }));
}

/** Says it after the answer. */
function later(tell) {
  setTimeout(() => void tell(), 20);
  return text("later");
}

function text(value) {
  return { content: [{ type: "text", text: value }] };
}
