// Runs the Lambda tests with the real runtime client: node scripts/lambda.mjs <20|22|24|all> [option of node]...
// aws-lambda-ric compiles native code (cmake, make, g++, python3), so `npm ci` does not install it: it is kept in .cache/.
import { existsSync } from "node:fs";
import { join } from "node:path";

import { ROOT, fetched, installWithScripts, onPath, programName, run, versionOf } from "./fetched.mjs";

const ALL = ["22", "24"];
const CLIENT = "aws-lambda-ric@4.0.2";

/** The program of the runtime client; undefined where it does not compile. */
export function runtimeClient() {
  const prefix = join(ROOT, ".cache", "lambda-runtime");
  const folder = join(prefix, "node_modules", "aws-lambda-ric");
  const isThere = () => existsSync(join(folder, "rapid-client.node"));
  if (!isThere()) installWithScripts(prefix, CLIENT);
  return isThere() ? join(folder, "index.mjs") : undefined;
}

/** The folder of a version of Node: the running one need not be fetched. */
export function nodeOf(major) {
  if (process.version.startsWith(`v${major}.`)) return join(process.execPath, "..");
  return fetched(major);
}

function main([choice = "all", ...testArguments]) {
  const client = runtimeClient();
  const reason = `${CLIENT} could not be compiled here: cmake, make, g++ and python3 are needed`;
  if (!client) console.error(`SKIPPED: ${reason}`);
  const variables = client ? { LAMBDA_RUNTIME: client } : { NO_LAMBDA_RUNTIME: reason };
  for (const major of choice === "all" ? ALL : [choice]) {
    const status = testOn(nodeOf(major), variables, testArguments);
    if (status !== 0) process.exit(status);
  }
}

function testOn(folder, variables, testArguments) {
  const node = join(folder, programName());
  console.error(`node ${versionOf(node)}: ${node}`);
  const env = { ...onPath(folder), ...variables };
  return run(node, [join(ROOT, "scripts", "test.mjs"), "test/lambda/", ...testArguments], { env });
}

if (import.meta.filename === process.argv[1]) main(process.argv.slice(2));
