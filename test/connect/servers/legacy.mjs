import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { accept, notify, send, serve, text } from "../../fixtures/servers/_stdio.mjs";

/** All that a server of the older revisions does, each at the call of a tool: the tools of _server.mjs. */

const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: {},
  resources: { subscribe: true },
  logging: {},
};
const NOTE = { uri: "note://one", name: "one", mimeType: "text/plain" };
/** Changes by itself, for whom every request has another process. */
const TICKING = "note://ticking";
const STEP_MS = 20;
const TICK_MS = 100;
const FORM = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
const MESSAGES = [{ role: "user", content: { type: "text", text: "How many legs?" } }];

const waiting = new Map();
/** Files of the calls that never end, by their ids. */
const slow = new Map();

serve({
  tools: {
    echo: ({ message }) => text(message),
    async progress({ steps }, { params }) {
      const progressToken = params._meta?.progressToken;
      for (let progress = 1; progress <= steps; progress++) {
        await notify("notifications/progress", { progressToken, progress, total: steps });
        // The clients forget the token with the result, and handle what comes together with it later.
        await delay(STEP_MS);
      }
      return text(`${steps} steps`);
    },
    slow({ file }, { id }) {
      slow.set(id, file);
      appendFileSync(file, "called\n");
    },
    ask: () => ask("elicitation/create", { message: "What is your name?", requestedSchema: FORM }),
    sample: () => ask("sampling/createMessage", { messages: MESSAGES, maxTokens: 10 }),
    roots: () => ask("roots/list"),
    async log() {
      await notify("notifications/message", { level: "warning", data: "a line of the log" });
      return text("logged");
    },
    change: () => later("notifications/tools/list_changed"),
    touch: ({ uri }) => later("notifications/resources/updated", { uri }),
  },
  methods: {
    initialize: (request) => ({ ...accept(request), capabilities: CAPABILITIES, instructions: "Read this." }),
    "prompts/list": () => ({ prompts: [{ name: "greet" }] }),
    "prompts/get": () => ({ messages: [{ role: "user", content: { type: "text", text: "Hello" } }] }),
    "resources/list": () => ({ resources: [NOTE] }),
    "resources/read": ({ params }) => ({ contents: [{ uri: params.uri, text: "written" }] }),
    "resources/subscribe"({ params: { uri } }) {
      if (uri === TICKING) setInterval(() => notify("notifications/resources/updated", { uri }), TICK_MS);
      return {};
    },
    "resources/unsubscribe": () => ({}),
    "logging/setLevel": () => ({}),
    "example.com/custom": ({ params }) => ({ given: params.value }),
  },
  notified: {
    "notifications/cancelled": ({ requestId }) => {
      if (slow.has(requestId)) appendFileSync(slow.get(requestId), "cancelled\n");
    },
  },
  answered: (response) => waiting.get(response.id)?.(response),
});

/** Under small numbers, as the SDKs count them: they may well be ids of the clients too. */
async function ask(method, params) {
  const id = waiting.size + 1;
  void send({ jsonrpc: "2.0", id, method, params });
  const { result, error } = await new Promise((resolve) => waiting.set(id, resolve));
  return text(JSON.stringify(result ?? error));
}

/** Says it after the answer, when no request is open. */
function later(method, params) {
  setImmediate(() => notify(method, params));
  return text("later");
}
