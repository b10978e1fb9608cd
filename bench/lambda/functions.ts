import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { build } from "esbuild";

import { ROOT } from "../servers.ts";
import type { BenchServer } from "../servers.ts";

/** A deployed function: its folder, and its handler as the runtime is told. */
export interface DeployedFunction {
  readonly name: string;
  readonly folder: string;
  readonly handler: string;
  /** What is loaded. */
  readonly entry: string;
  /** Whether all that comes after the head is the body, or the whole is an answer as JSON. */
  readonly streams: boolean;
  /** Of the other package: one server for each function, so the environment names it. */
  readonly isPeer: boolean;
  /** What its servers are started by: those of ours have a session of their own anyway. */
  readonly launcher?: string;
}

/** The package that is measured beside ours, where the script that starts this has installed it. */
const PEER = process.env["LAMBDA_PEER"] ?? "";

export async function makeFunctions(
  folder: string,
  servers: readonly BenchServer[],
): Promise<DeployedFunction[]> {
  const own = ownFolder(folder, servers);
  const [installed, bundled] = await peerFolders(folder);
  const ours = { folder: own, entry: "lambda.js", isPeer: false } as const;
  const theirs = { handler: "index.handler", streams: false, isPeer: true } as const;
  return [
    { ...ours, name: "mayfly, streaming", handler: "index.handler", streams: true },
    { ...ours, name: "mayfly, buffered", handler: "index.buffered", streams: false },
    // Linux shares a busy machine out between sessions first: all servers must have one, or none.
    { ...theirs, name: "aws, bundled by esbuild", folder: bundled, entry: "index.js", launcher: "setsid" },
    { ...theirs, name: "aws, as installed", folder: installed, entry: "index.js", launcher: "setsid" },
  ];
}

function ownFolder(parent: string, servers: readonly BenchServer[]): string {
  const mcpServers = Object.fromEntries(
    servers.map(({ name, args, env }) => [name, { command: process.execPath, args, env }]),
  );
  const folder = newFolder(parent, "mayfly");
  copyFileSync(join(ROOT, "dist", "bundle", "lambda.js"), join(folder, "lambda.js"));
  writeFileSync(
    join(folder, "index.js"),
    'export { handler, bufferedHandler as buffered } from "./lambda.js";',
  );
  writeFileSync(join(folder, "mcp.json"), JSON.stringify({ mcpServers }));
  return folder;
}

/** As its documentation has it, and bundled as its users do it, with the options of our own bundle. */
async function peerFolders(parent: string): Promise<[installed: string, bundled: string]> {
  const [installed, bundled] = [newFolder(parent, "aws"), newFolder(parent, "aws-bundled")];
  writeFileSync(join(installed, "index.js"), peerSource());
  await build({
    entryPoints: [join(installed, "index.js")],
    outfile: join(bundled, "index.js"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: "error",
    banner: {
      js: 'import { createRequire } from "node:module";const require = createRequire(import.meta.url);',
    },
  });
  return [installed, bundled];
}

function peerSource(): string {
  return `
import { LambdaFunctionURLEventHandler, StdioServerAdapterRequestHandler } from ${JSON.stringify(PEER)};
const parameters = JSON.parse(process.env.SERVER_PARAMETERS ?? '{"command":"none"}');
const events = new LambdaFunctionURLEventHandler(new StdioServerAdapterRequestHandler(parameters));
export const handler = (event, context) => events.handle(event, context);
`;
}

function newFolder(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  return folder;
}
