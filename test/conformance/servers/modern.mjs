// A server on the SDK of both eras: no handshake needed, questions to the client as results. With --modern-only it
// refuses the handshake.
import { setTimeout as sleep } from "node:timers/promises";

import {
  CLIENT_CAPABILITIES_META_KEY,
  McpServer,
  ResourceTemplate,
  acceptedContent,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  inputResponse,
} from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

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

const NOTHING = { type: "object", properties: {} };
const STEP_MS = 50;

// The answer to a question comes to another process than the one that asked.
const states = createRequestStateCodec({ key: process.env.REQUEST_STATE_KEY });

serveStdio(createServer, { legacy: process.argv.includes("--modern-only") ? "reject" : "serve" });

function createServer() {
  const server = new McpServer(info, { capabilities, requestState: states });
  addFixedTools(server);
  addTools(server);
  addAskingTools(server);
  addSwitches(server);
  addResources(server);
  addPrompts(server);
  return server;
}

function addFixedTools(server) {
  for (const [name, { description, content }] of Object.entries(fixedTools)) {
    server.registerTool(name, { description }, () => ({ content }));
  }
}

function addTools(server) {
  const tool = adderTo(server);

  tool("test_error_handling", "Always fails", () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  tool("test_tool_with_logging", "Logs three times", async (_args, { mcpReq }) => {
    for (const data of ["started", "processing data", "completed"]) {
      await mcpReq.log("info", `Tool ${data}`);
      await sleep(STEP_MS);
    }
  });
  tool("test_logging_tool", "Logs once", (_args, { mcpReq }) => mcpReq.log("info", "Only if asked for"));
  tool("test_tool_with_progress", "Reports progress three times", async (_args, { mcpReq }) => {
    for (const progress of [0, 50, 100]) {
      const params = { progressToken: mcpReq._meta?.progressToken, progress, total: 100 };
      if (params.progressToken !== undefined)
        await mcpReq.notify({ method: "notifications/progress", params });
      await sleep(STEP_MS);
    }
  });

  tool("json_schema_2020_12_tool", "Takes what the dialect can say", JSON.stringify, schemas.dialect);
  tool("test_x_mcp_header", "Takes a mirrored argument", ({ region }) => `In ${region}`, schemas.mirrored);

  // Of the extension for tasks: what a server without it has all the same.
  tool("greet", "Greets", ({ name }) => `Hello, ${name}!`, schemas.greeted);
  tool("slow_compute", "Computes at once", () => "Computed");
}

function addAskingTools(server) {
  const tool = adderTo(server);
  const asking = (name, description, questions, schema) =>
    tool(name, description, (args, ctx) => ask(questions(args, ctx), ctx), schema);
  const sealed = (name, description, questions) =>
    tool(name, description, (_args, ctx) => askOnce(name, questions, ctx));

  asking("test_sampling", "Asks the model", ({ prompt }) => ({ answer: sample(prompt) }), schemas.prompt);
  asking("test_missing_capability", "Asks the model", () => ({ answer: sample("Say pong") }));
  asking(
    "test_elicitation",
    "Asks the user",
    ({ message }) => ({ answer: elicit(forms.account(message)) }),
    schemas.message,
  );
  asking("test_elicitation_sep1034_defaults", "Asks with defaults", () => ({
    answer: elicit(forms.defaults),
  }));
  asking("test_elicitation_sep1330_enums", "Asks with choices", () => ({ answer: elicit(forms.enums) }));
  asking("confirm_delete", "Asks for a yes", () => ({ answer: elicit(forms.confirm) }));
  asking("test_streaming_elicitation", "Asks the user", () => ({ answer: elicit(forms.confirm) }));

  asking("test_input_required_result_elicitation", "Asks for a name", () => ({
    user_name: elicit(forms.name),
  }));
  asking("test_input_required_result_sampling", "Asks the model", () => ({
    capital_question: sample("What is the capital of France?"),
  }));
  asking("test_input_required_result_list_roots", "Asks for the roots", () => ({ client_roots: roots() }));
  asking("test_input_required_result_capabilities", "Asks what can be asked", (_args, ctx) => {
    const can = clientCapabilities(server, ctx);
    return {
      ...(can.elicitation === undefined ? {} : { user_name: elicit(forms.name) }),
      ...(can.sampling === undefined ? {} : { greeting: sample("Say hello") }),
    };
  });
  sealed("test_input_required_result_request_state", "Asks for a yes", { confirm: elicit(forms.confirm) });
  sealed("test_input_required_result_tampered_state", "Asks for a yes", { confirm: elicit(forms.confirm) });
  sealed("test_input_required_result_multiple_inputs", "Asks three at once", {
    user_name: elicit(forms.name),
    greeting: sample("Say hello"),
    client_roots: roots(),
  });
  tool("test_input_required_result_multi_round", "Asks two after each other", askTwice);
}

function addSwitches(server) {
  const tool = adderTo(server);
  const description = "Sometimes listed";
  const switches = {
    tools: server.registerTool("test_switched_tool", { description }, () => ({ content: [] })),
    prompts: server.registerPrompt("test_switched_prompt", { description }, () => ({ messages: [] })),
  };
  const follow = (name) => (isOn(name) ? switches[name].enable() : switches[name].disable());

  Object.keys(switches).forEach(follow);
  onFlip(follow);
  tool("test_trigger_tool_change", "Changes the tools", () => flip("tools"));
  tool("test_trigger_prompt_change", "Changes the prompts", () => flip("prompts"));
}

function addResources(server) {
  for (const { name, ...contents } of resources) {
    const { uri, mimeType } = contents;
    server.registerResource(name, uri, { mimeType }, () => ({ contents: [contents] }));
  }
  const { name, uriTemplate, mimeType, read } = template;
  server.registerResource(
    name,
    new ResourceTemplate(uriTemplate, { list: undefined }),
    { mimeType },
    (uri, { id }) => ({ contents: [{ uri: uri.href, mimeType, text: read(id) }] }),
  );
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
}

function addPrompts(server) {
  for (const [name, { description, arguments: args, messages }] of Object.entries(prompts)) {
    const answer = (given) => ({ messages: messages(given) });
    server.registerPrompt(name, { description, argsSchema: argumentsSchema(args) }, answer);
  }
  const { name, description } = askingPrompt;
  server.registerPrompt(name, { description }, (ctx) => {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, "user_context");
    if (answer !== undefined) return promptAbout(answer.context);
    return inputRequired({ inputRequests: { user_context: elicit(contextForm) } });
  });
  server.server.setRequestHandler("completion/complete", ({ params }) =>
    completionsOf(params.argument.value),
  );
}

/** Adds tools whose result is a text, a value to be told as one, or a question. */
function adderTo(server) {
  return (name, description, run, schema = NOTHING) =>
    server.registerTool(name, { description, inputSchema: fromJsonSchema(schema) }, async (args, ctx) => {
      const result = await run(args, ctx);
      return result?.resultType === undefined ? { content: [text(worded(result))] } : result;
    });
}

function ask(questions, ctx) {
  return answersTo(questions, ctx) ?? inputRequired({ inputRequests: questions });
}

/** Answers are taken only with the state that this tool sealed when it asked. */
async function askOnce(tool, questions, ctx) {
  const answers = ctx.mcpReq.requestState()?.tool === tool ? answersTo(questions, ctx) : undefined;
  return answers ?? inputRequired({ inputRequests: questions, requestState: await states.mint({ tool }) });
}

async function askTwice(_args, { mcpReq }) {
  const { name } = mcpReq.requestState() ?? {};
  const step1 = acceptedContent(mcpReq.inputResponses, "step1");
  const step2 = acceptedContent(mcpReq.inputResponses, "step2");
  if (name !== undefined && step2 !== undefined) return [name, step2.color];
  const known = name ?? step1?.name;
  return inputRequired({
    inputRequests: known === undefined ? { step1: elicit(forms.name) } : { step2: elicit(forms.color) },
    requestState: await states.mint({ name: known }),
  });
}

function answersTo(questions, { mcpReq }) {
  const answers = Object.keys(questions).map((key) => inputResponse(mcpReq.inputResponses, key));
  return answers.some(({ kind }) => kind === "missing") ? undefined : answers;
}

/** Without a handshake every request says what the client can do. */
function clientCapabilities(server, { mcpReq }) {
  return mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? server.server.getClientCapabilities() ?? {};
}

function elicit(params) {
  return inputRequired.elicit(params);
}

function sample(question) {
  return inputRequired.createMessage(sampling(question));
}

function roots() {
  return inputRequired.listRoots();
}

function worded(value = "Done") {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function argumentsSchema(args) {
  const properties = Object.entries(args).map(([name, description]) => [
    name,
    { type: "string", description },
  ]);
  if (properties.length === 0) return undefined;
  return fromJsonSchema({
    type: "object",
    properties: Object.fromEntries(properties),
    required: Object.keys(args),
  });
}
