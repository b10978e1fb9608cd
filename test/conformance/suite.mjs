// Runs the suite against one URL, as `conformance server --requirements` does, and reads what it found.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { parse, stringify } from "yaml";

const PACKAGE = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/conformance", import.meta.url),
);
const GLOB_SYNC = new URL("glob-sync.mjs", import.meta.url).href;
const TIMEOUT_MS = 170_000;

/** The scenarios for servers of a revision; behind them those that do not count towards conformance. */
export function scenariosOf(revision) {
  const { server, not_scored: others } = parse(
    readFileSync(join(PACKAGE, "requirements", `${revision}.yaml`), "utf8"),
  );
  return [
    ...server.map((name) => ({ name, scored: true })),
    ...others.filter(({ leg }) => leg === "server").map(({ scenario: name }) => ({ name, scored: false })),
  ];
}

/**
 * @param expected what may fail, as the suite writes it: `scenario` or `scenario:check`
 * @returns the checks by scenario, and what the suite itself makes of them
 */
export async function runSuite({ url, revision, expected, scratch }) {
  const baseline = join(scratch, "baseline.yml");
  const results = join(scratch, "results");
  mkdirSync(results);
  writeFileSync(baseline, stringify({ server: expected }));
  const options = ["--url", url, "--requirements", revision, "--expected-failures", baseline, "-o", results];
  const { code, output } = await run(["server", ...options]);
  return { agrees: code === 0, output, checks: readChecks(results, scenariosOf(revision)) };
}

function run(args) {
  const child = spawn(process.execPath, ["--import", GLOB_SYNC, join(PACKAGE, "dist/index.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => output.push(text));
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output: output.join("") }));
  });
}

/** A scenario that broke off has left no file. */
function readChecks(folder, scenarios) {
  const written = readdirSync(folder);
  const checksOf = ({ name }) => {
    const found = written.find((entry) => entry.replace(/-\d{4}-\d\d-\d\dT.*$/, "") === `server-${name}`);
    return found === undefined ? [] : JSON.parse(readFileSync(join(folder, found, "checks.json"), "utf8"));
  };
  return new Map(scenarios.map((scenario) => [scenario.name, checksOf(scenario)]));
}
