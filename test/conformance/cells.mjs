// Which servers meet which revision, and how Mayfly is configured for it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { serve } from "../../dist/adapters/node.js";

const SERVERS = ["legacy", "modern"];
const SECRET = "a secret that only these runs of the suite know";

// A bundle starts in half the time of the packages it is made of, and every request starts one.
const REQUIRE_BANNER =
  'import { createRequire as createBundleRequire } from "node:module";' +
  "const require = createBundleRequire(import.meta.url);";

/**
 * In the order of the page. `input` is what becomes of questions that a server asks while a request runs: a client of
 * 2025-11-25 answers them to the process that waits, a later one gets them as a result and calls again. The tools of
 * the legacy server do not say that they can be repeated, as the tools of most servers do not.
 */
export const CELLS = [
  { server: "legacy", revision: "2025-11-25", input: "hold" },
  { server: "modern", revision: "2025-11-25", input: "hold" },
  { server: "modern-only", revision: "2025-11-25", input: "hold" },
  { server: "legacy", revision: "2026-07-28", input: "rerun", rerun: "always" },
  { server: "modern", revision: "2026-07-28", input: "rerun" },
  { server: "modern-only", revision: "2026-07-28", input: "rerun" },
];

export function nameOf({ server, revision }) {
  return `${server} ${revision}`;
}

/** @returns the folder of the programs */
export async function bundleServers(folder) {
  await build({
    entryPoints: SERVERS.map((name) => fileURLToPath(new URL(`servers/${name}.mjs`, import.meta.url))),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    minifySyntax: true,
    banner: { js: REQUIRE_BANNER },
    logLevel: "warning",
  });
  return folder;
}

/** Serves one cell until the callback is done. */
export async function withAdapter(cell, { programs, scratch }, use) {
  const switches = join(scratch, "switches");
  mkdirSync(switches);
  const adapter = await serve({
    mcpServers: { [cell.server]: serverConfig(cell, programs, switches) },
    port: 0,
    inputMode: cell.input,
    listen: "serve",
    stateSecrets: [SECRET],
  });
  try {
    return await use(`${adapter.url}/mcp`);
  } finally {
    await adapter.close();
  }
}

function serverConfig({ server, rerun = "safe" }, programs, switches) {
  const [name] = server.split("-");
  return {
    command: process.execPath,
    args: [join(programs, `${name}.mjs`), ...(server === "modern-only" ? ["--modern-only"] : [])],
    env: { SWITCHES: switches, REQUEST_STATE_KEY: SECRET },
    rerun,
  };
}
