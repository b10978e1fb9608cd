import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { HandlerOptions } from "../configuration/options.ts";
import { isObject } from "../jsonrpc.ts";
import { SERVERS_FOLDER } from "../resolve.ts";
import { SNAPSHOT_FILE, readSnapshot } from "../snapshot/format.ts";
import type { Snapshot } from "../snapshot/format.ts";
import { createToolFilter } from "../tool-filter.ts";
import { writeTarget } from "./target-folder.ts";
import { gatewayTools } from "./tool-schema.ts";

/** What a deployment is made of. */
export interface TargetSources {
  /** Where the servers were built. */
  readonly out: string;
  readonly options: HandlerOptions;
  /** The configuration as it is written; undefined if it stands in `MCP_SERVER_CONFIG`, which the platform has to set. */
  readonly file: string | undefined;
}

const INDEX = `// index.handler streams: function URLs (RESPONSE_STREAM), REST APIs (STREAM). index.buffered is for all others.
export { handler, bufferedHandler as buffered } from "./mayfly.mjs";
`;

/** The handler in one file, and the licences of what is inside. */
const BUNDLED = {
  "lambda.js": "mayfly.mjs",
  "THIRD-PARTY-LICENSES.txt": "THIRD-PARTY-LICENSES.txt",
} as const;

/** Writes a folder whose content, zipped, is a Lambda function. */
export async function writeLambda(folder: string, sources: TargetSources): Promise<void> {
  await writeTarget(folder, async (into) => {
    await writeFile(join(into, "index.mjs"), INDEX);
    for (const [from, to] of Object.entries(BUNDLED)) await copyFile(inPackage(from), join(into, to));
    if (sources.file !== undefined) await copyFile(sources.file, join(into, "mcp.json"));
    for (const name of Object.keys(sources.options.mcpServers)) await copyServer(name, into, sources);
  });
}

function inPackage(file: string): string {
  return fileURLToPath(new URL(`../bundle/${file}`, import.meta.url));
}

async function copyServer(name: string, into: string, { out, options }: TargetSources): Promise<void> {
  const [from, to] = [join(out, name), join(into, SERVERS_FOLDER, name)];
  if (!existsSync(from)) return;
  await cp(from, to, { recursive: true, verbatimSymlinks: true, filter: (path) => !isLinkFolder(path) });
  const tools = toolsIn(await snapshotIn(from));
  if (!tools) return;
  const filter = createToolFilter(options.mcpServers[name]?.tools);
  const visible = tools.filter((tool) => isObject(tool) && filter.allows(tool["name"]));
  await mkdir(join(into, "tools"), { recursive: true });
  await writeFile(join(into, "tools", `${name}.json`), `${JSON.stringify(gatewayTools(visible), null, 2)}\n`);
}

/** npm's links to programs, which nothing starts: zip would follow them, or break them. */
function isLinkFolder(path: string): boolean {
  return basename(path) === ".bin" && basename(dirname(path)) === "node_modules";
}

async function snapshotIn(folder: string): Promise<Snapshot | undefined> {
  const file = join(folder, SNAPSHOT_FILE);
  return existsSync(file) ? readSnapshot(await readFile(file, "utf8")) : undefined;
}

/** Of the newest revision that the server speaks. */
function toolsIn(snapshot: Snapshot | undefined): unknown[] | undefined {
  const revisions = Object.entries(snapshot?.legacy ?? {}).toSorted(([one], [other]) =>
    one < other ? 1 : -1,
  );
  const answers = revisions[0]?.[1] ?? snapshot?.modern;
  return answers?.lists["tools/list"]?.flatMap(({ answer }) => {
    const { result } = JSON.parse(answer) as { readonly result?: { readonly tools?: unknown[] } };
    return result?.tools ?? [];
  });
}
