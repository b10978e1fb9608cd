// Runs what needs the real runtime client of Lambda, on the versions of Node that Lambda has:
// node scripts/lambda.mjs <test|offline> <20|22|24|all> [option of node]..., or: node scripts/lambda.mjs bench <20|22|24> [option]...
// aws-lambda-ric compiles native code (cmake, make, g++, python3), so `npm ci` does not install it: it is kept in .cache/.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { ROOT, fetched, install, installWithScripts, runNode } from "./fetched.mjs";

const ALL = ["22", "24"];
const CLIENT = "aws-lambda-ric@4.0.2";

const PEER = "@aws/run-mcp-servers-with-aws-lambda";
const PEER_VERSION = "0.5.21";

function main([what, choice, ...others]) {
  const client = runtimeClient();
  if (what === "bench") process.exit(bench(client, choice, others));
  const reason = `${CLIENT} could not be compiled here: cmake, make, g++ and python3 are needed`;
  if (!client) console.error(`SKIPPED: ${reason}`);
  const variables = client ? { LAMBDA_RUNTIME: client } : { NO_LAMBDA_RUNTIME: reason };
  const folder = what === "offline" ? "test/offline/" : "test/lambda/";
  const test = [join(ROOT, "scripts", "test.mjs"), folder, ...others];
  for (const major of choice === "all" ? ALL : [choice]) {
    const status = runNode(nodeOf(major), test, variables);
    if (status !== 0) process.exit(status);
  }
}

function bench(client, choice, others) {
  if (!client) throw new Error(`${CLIENT} could not be compiled here`);
  const variables = { LAMBDA_RUNTIME: client, LAMBDA_PEER: peer() };
  return runNode(nodeOf(choice), ["--import", "tsx", join(ROOT, "bench", "lambda.ts"), ...others], variables);
}

/** The program of the runtime client; undefined where it does not compile. */
function runtimeClient() {
  const prefix = join(ROOT, ".cache", "lambda-runtime");
  const folder = join(prefix, "node_modules", "aws-lambda-ric");
  const isThere = () => existsSync(join(folder, "rapid-client.node"));
  if (!isThere()) installWithScripts(prefix, CLIENT);
  return isThere() ? join(folder, "index.mjs") : undefined;
}

/** The module of the package that is measured beside ours. */
function peer() {
  const prefix = join(ROOT, ".cache", "lambda-peer");
  const entry = join(prefix, "node_modules", PEER, "dist", "index.js");
  if (!existsSync(entry)) install(prefix, `${PEER}@${PEER_VERSION}`);
  return entry;
}

/** The folder of a version of Node: the running one need not be fetched. */
function nodeOf(major) {
  if (process.version.startsWith(`v${major}.`)) return dirname(process.execPath);
  return fetched(major);
}

main(process.argv.slice(2));
