// Drives the built adapter with the command line of the MCP inspector, in every session mode: node scripts/inspector.mjs
// It needs a newer Node than we do, so both are fetched from npm and kept in .cache/.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { ROOT, fetched, install, onPath, programName } from "./fetched.mjs";

const NODE_MAJOR = "22";
const INSPECTOR = "@modelcontextprotocol/inspector";
const VERSION = "2";
const TIMEOUT_MS = 60_000;

const MODES = [
  { options: ["--shared-session", "true"], path: "/sse", transport: "sse" },
  { options: ["--shared-session", "false"], path: "/sse", transport: "sse" },
  { options: ["--sessions", "none"], path: "/mcp", transport: "http" },
  { options: ["--sessions", "shared"], path: "/mcp", transport: "http" },
  { options: ["--sessions", "independent"], path: "/mcp", transport: "http" },
];

async function main() {
  const folder = fetched(NODE_MAJOR);
  const prefix = join(ROOT, ".cache", "inspector");
  const program = join(prefix, "node_modules", INSPECTOR, "clients", "launcher", "build", "index.js");
  if (!existsSync(program)) install(prefix, `${INSPECTOR}@${VERSION}`);
  for (const mode of MODES) {
    await inMode(mode, (...args) => inspect(folder, [program, ...args]));
    console.error(`${mode.path} ${mode.options.join(" ")}: works`);
  }
}

async function inMode({ options, path, transport }, inspector) {
  const server = ["npx", "-y", "@modelcontextprotocol/server-everything"];
  const args = [join(ROOT, "dist", "cli", "main.js"), "--port", "0", "--log-level", "error", ...options];
  const adapter = spawn(process.execPath, [...args, "--", ...server], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const url = await addressOf(adapter, path);
    const common = [url, "--transport", transport, "--method"];
    const { tools } = inspector("--cli", ...common, "tools/list");
    assert.ok(
      tools.some(({ name }) => name === "echo"),
      "the tool echo is not in the list",
    );
    const call = ["tools/call", "--tool-name", "echo", "--tool-arg", "message=hello"];
    const { content } = inspector("--cli", ...common, ...call);
    assert.equal(content[0].text, "Echo: hello");
  } finally {
    adapter.kill("SIGTERM");
    const [code] = await once(adapter, "exit");
    assert.equal(code, 0, "mayfly did not end as it should");
  }
}

async function addressOf(adapter, path) {
  for await (const line of createInterface({ input: adapter.stdout })) {
    const url = /^Mayfly listens on (\S+)$/.exec(line)?.[1];
    if (url?.endsWith(path)) return url;
  }
  throw new Error("mayfly did not say where it listens");
}

function inspect(folder, args) {
  const options = { cwd: ROOT, env: onPath(folder), encoding: "utf8", timeout: TIMEOUT_MS };
  const { status, stdout, stderr } = spawnSync(join(folder, programName()), args, options);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

await main();
