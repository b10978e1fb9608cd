import { cp, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { ServerConfig } from "../../lib/index.ts";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));

/** A function as it is deployed: one file of code, a handler that names it, and the servers. */
export interface Deployment {
  readonly folder: string;
  remove(): Promise<void>;
}

export async function deploy(mcpServers: Readonly<Record<string, ServerConfig>>): Promise<Deployment> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "mayfly-lambda-")));
  const files = {
    "package.json": '{"type":"module"}',
    "index.js": 'export { handler, bufferedHandler as buffered } from "./lambda.js";',
    "broken.js": BROKEN,
    "mcp.json": JSON.stringify({ mcpServers }),
  };
  await cp(join(DIST, "bundle", "lambda.js"), join(folder, "lambda.js"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The same adapter over a handler that fails as no real one does: before it answers, or in the middle of a stream. */
const BROKEN = `
import { answerInStream } from ${JSON.stringify(join(DIST, "adapters", "lambda", "streaming.js"))};
import { createInvocation } from ${JSON.stringify(join(DIST, "adapters", "lambda", "invocation.js"))};

const logger = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields.err) };

async function fetch(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/throws") throw new Error("canary of a thrown error");
  const type = pathname === "/breaks-off" ? "text/event-stream" : "application/json";
  async function* body() {
    yield Buffer.from("event: message\\ndata: {}\\n\\n");
    if (pathname !== "/works") throw new Error("canary of a broken stream");
  }
  return new Response(ReadableStream.from(body()), { headers: { "Content-Type": type, "Content-Length": "26" } });
}

export async function handler(event, stream, context) {
  await answerInStream(event, stream, { fetch, logger }, createInvocation(context));
}
handler[Symbol.for("aws.lambda.runtime.handler.streaming")] = "response";
`;
