import assert from "node:assert/strict";
import { join } from "node:path";

import { until, within } from "../../support/deadline.ts";
import { temporaryFolder, waitForLine } from "../../support/files.ts";
import type { Scope } from "../../support/files.ts";
import type { Params } from "../../support/rpc.ts";
import type { Connected } from "./clients.ts";
import type { Remote } from "./remotes.ts";

/** Something that can be seen of a connection. Gives what was seen; an exception says why it was not. */
export interface Check {
  readonly title: string;
  run(client: Connected, tools: Remote["tools"], t: Scope): Promise<unknown>;
}

/** Neither a success nor a failure: there is nothing to see. */
export class NotApplicable extends Error {}

const WAIT_MS = 8000;
const NOTE = { own: "note://one", everything: "demo://resource/dynamic/text/1" };
const TICKING = "note://ticking";
const STEPS = 3;

export const CHECKS: readonly Check[] = [
  { title: "list tools", run: async (client) => toolsOf(await client.request("tools/list")) },
  { title: "list prompts", run: (client) => client.request("prompts/list") },
  { title: "list resources", run: (client) => client.request("resources/list") },
  { title: "read", run: async (client, tools) => read(client, NOTE[tools]) },
  { title: "call", run: (client) => client.call("echo", { message: "héllo 👋" }) },
  { title: "unknown tool", run: (client) => refused(client.call("no-such-tool")) },
  { title: "unknown method", run: (client) => refused(client.request("example.com/nothing")) },
  { title: "custom method", run: (client) => client.request("example.com/custom", { value: "kept" }) },
  { title: "ping", run: async (client) => (legacyOnly(client), client.request("ping")) },
  { title: "progress", run: progress },
  { title: "cancellation", run: cancellation },
  { title: "log message", run: logMessage },
  { title: "elicitation", run: (client, tools) => ask(client, tools, "ask") },
  { title: "sampling", run: (client, tools) => ask(client, tools, "sample") },
  { title: "roots", run: (client, tools) => ask(client, tools, "roots") },
  { title: "resource updated", run: resourceUpdated },
  { title: "list changed", run: listChanged },
  { title: "ticking", run: ticking },
];

/** What is in the answers that the clients give. */
const ANSWERS: Readonly<Record<string, string>> = { ask: "Ephemera", sample: "six", roots: "file:///a/root" };

/** What server-everything calls its tools. */
const EVERYTHING: Readonly<Record<string, Call>> = {
  ask: ["trigger-elicitation-request"],
  sample: ["trigger-sampling-request", { prompt: "How many legs?", maxTokens: 10 }],
  roots: ["get-roots-list"],
  log: ["toggle-simulated-logging"],
  touch: ["toggle-subscriber-updates"],
  progress: ["trigger-long-running-operation", { duration: 0.3, steps: STEPS }],
  slow: ["trigger-long-running-operation", { duration: 3, steps: 1 }],
};

/** Without what an era adds to each result, and what is new in every run. */
export function comparable(seen: unknown): string {
  return JSON.stringify(seen, (name, value: unknown) => (ADDED.has(name) ? undefined : value))
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UUID")
    .replaceAll(/\d\d?:\d\d:\d\d( [AP]M)?/g, "TIME");
}

const ADDED = new Set(["_meta", "resultType", "ttlMs", "cacheScope", "execution"]);

function toolsOf({ tools }: Params): unknown {
  return (tools as readonly { readonly name: string }[]).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function read(client: Connected, uri: string): Promise<unknown> {
  const { contents } = await client.request("resources/read", { uri });
  return contents;
}

/** The error that comes of it; some servers answer with a result that tells of one. */
async function refused(answer: Promise<Params>): Promise<unknown> {
  const result = await answer.catch(({ code, message }: Error & { code: unknown }) => ({ code, message }));
  assert.ok("code" in result || result["isError"] === true, `no error: ${JSON.stringify(result)}`);
  return worded(result);
}

/** The clients make an error of their own of one that comes with an HTTP status, and keep its text. */
function worded(result: Params): unknown {
  const text = JSON.stringify(result).replaceAll("\\", "");
  const [, code, message] = /"code":(-32\d{3}),"message":"(?:MCP error -\d+: )?([^"]*)"/.exec(text) ?? [];
  return code === undefined ? result : { code, message };
}

function legacyOnly({ isModern }: Connected): void {
  if (isModern) throw new NotApplicable("not in this revision");
}

type Call = readonly [name: string, args?: Params];

function callOf(tools: Remote["tools"], tool: string, args: Params = {}): Call {
  const found: Call | undefined = tools === "own" ? [tool, args] : EVERYTHING[tool];
  if (!found) throw new NotApplicable("server-everything has nothing that shows it");
  return found;
}

/** The clients forget the token with the result: on a busy machine steps that come together with it are lost there. */
async function progress(client: Connected, tools: Remote["tools"]): Promise<unknown> {
  const wanted = tools === "own" ? STEPS + 1 : STEPS;
  let outcome = await progressOnce(client, tools);
  for (let more = 3; more > 0 && outcome.seen.length < wanted; more--) {
    outcome = await progressOnce(client, tools);
  }
  return outcome;
}

async function progressOnce(client: Connected, tools: Remote["tools"]) {
  const seen: (number | string)[] = [];
  const onprogress = (step: { readonly progress: number }): void => void seen.push(step.progress);
  const [name, args] = callOf(tools, "progress", { steps: STEPS });
  const result = await client.call(name, args, { onprogress });
  seen.push("result");
  // What comes late would stand behind the result.
  await client.call("echo", { message: "again" });
  // server-everything sends the last step together with the result.
  return { seen: tools === "own" ? seen : seen.filter((step) => step !== STEPS), result };
}

async function cancellation(client: Connected, tools: Remote["tools"], t: Scope): Promise<unknown> {
  const file = join(await temporaryFolder(t), "log");
  const leaving = new AbortController();
  const [name, args] = callOf(tools, "slow", { file });
  const settled = client.call(name, args, { signal: leaving.signal }).then(
    () => "an answer",
    (error: unknown) => (leaving.signal.aborted ? "cancelled" : String(error)),
  );
  if (tools === "own") await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  leaving.abort("changed my mind");
  const outcome = await within(settled, WAIT_MS, "the call ends");
  if (tools === "own") await waitForLine(file, /^cancelled/, { withinMs: WAIT_MS });
  return [outcome, await client.call("echo", { message: "next" })];
}

async function logMessage(client: Connected, tools: Remote["tools"]): Promise<unknown> {
  const before = client.heard.length;
  await client.call(...callOf(tools, "log"));
  await heard(client, before, "notifications/message");
  return tools === "own" ? client.heard.slice(before).map(({ params }) => params) : "some";
}

async function ask(client: Connected, tools: Remote["tools"], tool: string): Promise<unknown> {
  const result = await client.call(...callOf(tools, tool));
  const text = JSON.stringify(result);
  assert.ok(text.includes(ANSWERS[tool] ?? ""), `not the answer of the client: ${text}`);
  return result;
}

async function resourceUpdated(client: Connected, tools: Remote["tools"]): Promise<unknown> {
  if (!(client.capabilities["resources"] as { subscribe?: boolean } | undefined)?.subscribe) {
    throw new Error("the server offers no subscriptions");
  }
  const before = client.heard.length;
  await client.watch(NOTE[tools]);
  await client.call(...callOf(tools, "touch", { uri: NOTE[tools] }));
  return updateOf(client, before, NOTE[tools]);
}

async function listChanged(client: Connected, tools: Remote["tools"]): Promise<unknown> {
  if (!(client.capabilities["tools"] as { listChanged?: boolean } | undefined)?.listChanged) {
    throw new Error("the server tells of no changes");
  }
  const before = client.heard.length;
  await client.call(...callOf(tools, "change"));
  return (await heard(client, before, "notifications/tools/list_changed")).method;
}

/** A resource that changes by itself: seen also where every request has another process. */
async function ticking(client: Connected, tools: Remote["tools"]): Promise<unknown> {
  if (tools === "everything") throw new NotApplicable("server-everything has no such resource");
  const before = client.heard.length;
  await client.watch(TICKING);
  return updateOf(client, before, TICKING);
}

/** Some servers tell of resources that nobody has subscribed to. */
async function updateOf(client: Connected, since: number, uri: string): Promise<unknown> {
  const isAbout = ({ params }: Notification): boolean => (params as Params | undefined)?.["uri"] === uri;
  return (await heard(client, since, "notifications/resources/updated", isAbout)).params;
}

type Notification = Connected["heard"][number];

function heard(
  client: Connected,
  since: number,
  method: string,
  isWanted: (said: Notification) => boolean = () => true,
): Promise<Notification> {
  return until(() => client.heard.slice(since).find((said) => said.method === method && isWanted(said)), {
    withinMs: 3000,
    label: method,
  });
}
