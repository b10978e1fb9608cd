import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { build } from "esbuild";

import { ROOT } from "../servers.ts";
import type { LambdaServer } from "./servers.ts";

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
}

/** The package that is measured beside ours, where the script that starts this has installed it. */
const PEER = process.env["LAMBDA_PEER"] ?? "";

export async function makeFunctions(
  folder: string,
  servers: readonly LambdaServer[],
): Promise<DeployedFunction[]> {
  const [built, plain] = [await builtFolder(folder, servers), plainFolder(folder, servers)];
  const [installed, bundled] = await peerFolders(folder);
  const streaming = { handler: "index.handler", streams: true, isPeer: false } as const;
  const buffered = { handler: "index.buffered", streams: false, isPeer: false } as const;
  const theirs = { handler: "index.handler", entry: "index.js", streams: false, isPeer: true } as const;
  return [
    { ...streaming, name: "mayfly, built, streaming", folder: built, entry: "mayfly.mjs" },
    { ...buffered, name: "mayfly, built, buffered", folder: built, entry: "mayfly.mjs" },
    { ...streaming, name: "mayfly, streaming", folder: plain, entry: "lambda.js" },
    { ...buffered, name: "mayfly, buffered", folder: plain, entry: "lambda.js" },
    { ...theirs, name: "aws, bundled by esbuild", folder: bundled },
    { ...theirs, name: "aws, as installed", folder: installed },
  ];
}

/** What `mayfly build --target lambda` writes: what is deployed. */
async function builtFolder(parent: string, servers: readonly LambdaServer[]): Promise<string> {
  const [project, folder] = [newFolder(parent, "project"), join(parent, "mayfly-built")];
  const config = configOf(servers, ({ npx, args }) =>
    npx ? { command: "npx", args: ["-y", ...npx] } : { command: process.execPath, args },
  );
  writeFileSync(join(project, "mcp.json"), config);
  const build = [join(ROOT, "dist", "cli", "main.js"), "build", "--target", "lambda", "--target-out", folder];
  const { stdout } = await promisify(execFile)(process.execPath, build, { cwd: project });
  console.log(stdout);
  return folder;
}

/** The same servers as those of the other package, from the same files. */
function plainFolder(parent: string, servers: readonly LambdaServer[]): string {
  const folder = newFolder(parent, "mayfly");
  copyFileSync(join(ROOT, "dist", "bundle", "lambda.js"), join(folder, "lambda.js"));
  writeFileSync(
    join(folder, "index.js"),
    'export { handler, bufferedHandler as buffered } from "./lambda.js";',
  );
  writeFileSync(
    join(folder, "mcp.json"),
    configOf(servers, ({ args }) => ({ command: process.execPath, args })),
  );
  return folder;
}

function configOf(
  servers: readonly LambdaServer[],
  commandOf: (server: LambdaServer) => { readonly command: string; readonly args: readonly string[] },
): string {
  const entries = servers.map((server) => [server.name, { ...commandOf(server), env: server.env }] as const);
  return JSON.stringify({ mcpServers: Object.fromEntries(entries) });
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
