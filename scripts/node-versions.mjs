// Runs the tests on other versions of Node: node scripts/node-versions.mjs <major|all> [argument of scripts/test.mjs]...
// The program is the npm package of this platform, kept in .cache/.
import { join } from "node:path";

import { ROOT, fetched, runNode } from "./fetched.mjs";

const ALL = ["22", "24"];

function main([choice, ...testArguments]) {
  const majors = choice === "all" ? ALL : [choice];
  if (!majors.every((major) => /^\d+$/.test(major ?? ""))) {
    console.error("usage: npm run test:node -- <22|24|all> [part of a test's path]...");
    process.exit(2);
  }
  for (const major of majors) {
    const status = testOn(major, testArguments);
    if (status !== 0) process.exit(status);
  }
}

function testOn(major, testArguments) {
  return runNode(fetched(major), [join(ROOT, "scripts", "test.mjs"), ...testArguments]);
}

main(process.argv.slice(2));
