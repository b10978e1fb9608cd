// A server on the SDK of the handshake: initialize first, questions to the client while a request runs.
import { setTimeout as sleep } from "node:timers/promises";

import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

import {
  askingPrompt,
  capabilities,
  completionsOf,
  contextForm,
  fixedTools,
  forms,
  info,
  promptAbout,
  prompts,
  resources,
  sampling,
  schemas,
  template,
  text,
} from "./content.mjs";
import { flip, isOn, onFlip } from "./switches.mjs";

const RESOURCE_NOT_FOUND = -32002;
const NOTHING = { type: "object", properties: {} };
const STEP_MS = 50;

// oxlint-disable-next-line typescript/no-deprecated -- McpServer takes no JSON Schema, and the suite looks at one
const server = new Server(info, { capabilities });

const tools = {
  ...Object.fromEntries(Object.entries(fixedTools).map(([name, tool]) => [name, fixed(tool)])),

  test_error_handling: tool("Always fails", () => {
    throw new Error("This tool intentionally returns an error for testing");
  }),
  test_tool_with_logging: tool("Logs three times", async () => {
    for (const data of ["started", "processing data", "completed"]) {
      await server.sendLoggingMessage({ level: "info", data: `Tool ${data}` });
      await sleep(STEP_MS);
    }
    return "Logged";
  }),
  test_logging_tool: tool("Logs once", async () => {
    await server.sendLoggingMessage({ level: "info", data: "Logged unasked" });
    return "Logged";
  }),
  test_tool_with_progress: tool(
    "Reports progress three times",
    async (_args, { _meta, sendNotification }) => {
      for (const progress of [0, 50, 100]) {
        const params = { progressToken: _meta?.progressToken, progress, total: 100 };
        if (params.progressToken !== undefined)
          await sendNotification({ method: "notifications/progress", params });
        await sleep(STEP_MS);
      }
      return "Done";
    },
  ),

  json_schema_2020_12_tool: tool("Takes what the dialect can say", JSON.stringify, schemas.dialect),
  test_x_mcp_header: tool("Takes a mirrored argument", ({ region }) => `In ${region}`, schemas.mirrored),

  // Of the extension for tasks: what a server without it has all the same.
  greet: tool("Greets", ({ name }) => `Hello, ${name}!`, schemas.greeted),
  slow_compute: tool("Computes at once", () => "Computed"),
  confirm_delete: tool("Asks for a yes", () => elicit(forms.confirm)),

  test_sampling: tool("Asks the model", ({ prompt }) => sample(prompt), schemas.prompt),
  test_missing_capability: tool("Asks the model", () => sample("Say pong")),
  test_elicitation: tool("Asks the user", ({ message }) => elicit(forms.account(message)), schemas.message),
  test_elicitation_sep1034_defaults: tool("Asks with defaults", () => elicit(forms.defaults)),
  test_elicitation_sep1330_enums: tool("Asks with choices", () => elicit(forms.enums)),
  test_streaming_elicitation: tool("Asks the user", () => elicit(forms.confirm)),

  test_input_required_result_elicitation: tool("Asks for a name", () => elicit(forms.name)),
  test_input_required_result_sampling: tool("Asks the model", () => sample("What is the capital of France?")),
  test_input_required_result_list_roots: tool("Asks for the roots", roots),
  test_input_required_result_request_state: tool("Asks for a yes", () => elicit(forms.confirm)),
  test_input_required_result_tampered_state: tool("Asks for a yes", () => elicit(forms.confirm)),
  test_input_required_result_multiple_inputs: tool("Asks three at once", () =>
    all([elicit(forms.name), sample("Say hello"), roots()]),
  ),
  test_input_required_result_multi_round: tool("Asks two after each other", async () => [
    await elicit(forms.name),
    await elicit(forms.color),
  ]),
  test_input_required_result_capabilities: tool("Asks what can be asked", () => {
    const can = server.getClientCapabilities() ?? {};
    return all([
      ...(can.elicitation === undefined ? [] : [elicit(forms.name)]),
      ...(can.sampling === undefined ? [] : [sample("Say hello")]),
    ]);
  }),

  test_trigger_tool_change: tool("Changes the tools", () => flip("tools")),
  test_trigger_prompt_change: tool("Changes the prompts", () => flip("prompts")),
};

const switchedTool = { name: "test_switched_tool", description: "Sometimes listed", inputSchema: NOTHING };
const switchedPrompt = { name: "test_switched_prompt", description: "Sometimes listed" };
const subscribed = new Set();

server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: [
    ...Object.entries(tools).map(([name, { description, inputSchema }]) => ({
      name,
      description,
      inputSchema,
    })),
    ...(isOn("tools") ? [switchedTool] : []),
  ],
}));

server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
  const called = tools[params.name];
  if (called === undefined) throw new McpError(ErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
  try {
    return await called.run(params.arguments ?? {}, extra);
  } catch (error) {
    return { isError: true, content: [text(error.message)] };
  }
});

server.setRequestHandler(ListResourcesRequestSchema, () => ({
  resources: resources.map(({ uri, name, mimeType }) => ({ uri, name, mimeType })),
}));

server.setRequestHandler(ListResourceTemplatesRequestSchema, () => {
  const { uriTemplate, name, mimeType } = template;
  return { resourceTemplates: [{ uriTemplate, name, mimeType }] };
});

server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
  const contents = fixedContents(uri) ?? templateContents(uri);
  if (contents === undefined) throw new McpError(RESOURCE_NOT_FOUND, "Resource not found", { uri });
  return { contents: [contents] };
});

server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
  subscribed.add(params.uri);
  return {};
});

server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
  subscribed.delete(params.uri);
  return {};
});

server.setRequestHandler(ListPromptsRequestSchema, () => ({
  prompts: [
    ...Object.entries(prompts).map(listed),
    askingPrompt,
    ...(isOn("prompts") ? [switchedPrompt] : []),
  ],
}));

server.setRequestHandler(GetPromptRequestSchema, async ({ params }) => {
  if (params.name === askingPrompt.name) {
    const { content } = await server.elicitInput(contextForm);
    return promptAbout(content?.context);
  }
  const prompt = prompts[params.name];
  if (prompt === undefined) throw new McpError(ErrorCode.InvalidParams, `Unknown prompt: ${params.name}`);
  return { messages: prompt.messages(params.arguments ?? {}) };
});

server.setRequestHandler(CompleteRequestSchema, ({ params }) => completionsOf(params.argument.value));

onFlip((name) => void (name === "tools" ? server.sendToolListChanged() : server.sendPromptListChanged()));

await server.connect(new StdioServerTransport());

function tool(description, run, inputSchema = NOTHING) {
  return {
    description,
    inputSchema,
    run: async (args, extra) => ({ content: [text(worded(await run(args, extra)))] }),
  };
}

function fixed({ description, content }) {
  return { description, inputSchema: NOTHING, run: () => ({ content }) };
}

function worded(value = "Done") {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function elicit(params) {
  return server.elicitInput(params);
}

function sample(question) {
  return server.createMessage(sampling(question));
}

function roots() {
  return server.listRoots();
}

function all(questions) {
  return Promise.all(questions);
}

function fixedContents(wanted) {
  const found = resources.find(({ uri }) => uri === wanted);
  if (found === undefined) return undefined;
  const { name: _name, ...contents } = found;
  return contents;
}

function templateContents(uri) {
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
  return id === undefined ? undefined : { uri, mimeType: template.mimeType, text: template.read(id) };
}

function listed([name, { description, arguments: args }]) {
  const described = Object.entries(args).map(([name, description]) => ({
    name,
    description,
    required: true,
  }));
  return { name, description, arguments: described };
}
