// Holds Mayfly against the conformance suite of the protocol: node test/conformance/run.mjs [--write] [cell]...
// A cell is a server and a revision, such as "legacy 2025-11-25"; a part of its name will do. Without a cell, the
// findings must be those of docs/conformance.md, or are written there.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { CELLS, bundleServers, nameOf, withAdapter } from "./cells.mjs";
import { expectedIn, judge, readExpectations } from "./expectations.mjs";
import { pageOf } from "./page.mjs";
import { runSuite, scenariosOf } from "./suite.mjs";

const PAGE = new URL("../../docs/conformance.md", import.meta.url);
const AT_ONCE = 2;

const { values, positionals } = parseArgs({
  options: { write: { type: "boolean", default: false } },
  allowPositionals: true,
});
const cells = CELLS.filter(
  (cell) => positionals.length === 0 || positionals.some((part) => nameOf(cell).includes(part)),
);
process.exitCode = (await main()) ? 0 : 1;

async function main() {
  const groups = readExpectations(CELLS);
  const findings = await inScratchFolder((scratch) => runCells(groups, scratch));
  for (const finding of findings) print(finding);
  const isAsExpected = findings.every(({ surprises }) => surprises.length === 0);
  if (!isAsExpected || cells.length < CELLS.length) return isAsExpected;
  return comparePage(pageOf(findings, groups));
}

async function runCells(groups, scratch) {
  const programs = await bundleServers(join(scratch, "programs"));
  const findings = [];
  const waiting = [...cells.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, cell] = next;
      findings[index] = await runCell(cell, expectedIn(groups, cell), {
        programs,
        scratch: join(scratch, `${index}`),
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return findings;
}

async function runCell(cell, expected, { programs, scratch }) {
  mkdirSync(scratch);
  const { checks, agrees, output } = await withAdapter(cell, { programs, scratch }, (url) =>
    runSuite({ url, revision: cell.revision, expected, scratch }),
  );
  const scenarios = scenariosOf(cell.revision).map((scenario) =>
    Object.assign(scenario, judge(scenario, checks.get(scenario.name), expected)),
  );
  const surprises = scenarios.flatMap((scenario) => scenario.surprises);
  if (!agrees && surprises.length === 0) surprises.push(`the suite itself is not content:\n${output}`);
  return { cell, scenarios, surprises };
}

function print({ cell, scenarios, surprises }) {
  for (const { name, scored, verdict } of scenarios) {
    const columns = [
      cell.server.padEnd(12),
      cell.revision,
      verdict.padEnd(18),
      name,
      scored ? "" : "(not scored)",
    ];
    console.log(columns.join("  ").trimEnd());
  }
  for (const surprise of surprises) console.log(`    ${surprise}`);
  console.log();
}

function comparePage(page) {
  if (values.write) writeFileSync(PAGE, page);
  const isSame = readFileSync(PAGE, "utf8") === page;
  if (!isSame) console.log("docs/conformance.md says something else: npm run conformance -- --write");
  return isSame;
}

async function inScratchFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-conformance-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
