// The page of docs/ that tells what the suite found.
import { readFileSync } from "node:fs";

import { CELLS, nameOf } from "./cells.mjs";

const REVISIONS = [...new Set(CELLS.map(({ revision }) => revision))];
const SERVERS = [...new Set(CELLS.map(({ server }) => server))];

export function pageOf(findings, groups) {
  return `${[
    "# Conformance",
    ...introduction(),
    ...REVISIONS.flatMap((revision) => [
      `## Revision ${revision}`,
      ...summary(findings.filter(({ cell }) => cell.revision === revision)),
      findingsTable(
        findings.filter(({ cell }) => cell.revision === revision),
        groups,
      ),
    ]),
    "## Expected failures",
    "The numbers are those of the tables. A check stands here only because of its reason.",
    ...groups.map(describe),
  ].join("\n\n")}\n`;
}

function introduction() {
  return [
    `Mayfly is held against the [conformance suite](https://github.com/modelcontextprotocol/conformance) of the protocol, version ${versionOf("conformance")}: the suite is the client, and every request of it reaches a server in a process of its own. What a revision requires of a server is run as that revision has it (\`--requirements\`), and so is what it does not count: extensions, and scenarios that are younger than the revision.`,
    "Repeat it with",
    "```sh\nnpm run conformance\n```",
    "which fails for every finding that this page does not tell. `npm run conformance -- --write` writes the page.",
    "Three servers hold what the scenarios ask for:",
    table([
      ["server", "built on", "speaks"],
      ["legacy", `@modelcontextprotocol/sdk ${versionOf("sdk")}`, "the handshake only"],
      ["modern", `@modelcontextprotocol/server ${versionOf("server")}`, "both eras"],
      ["modern-only", `@modelcontextprotocol/server ${versionOf("server")}`, "2026-07-28 only"],
    ]),
    'Subscriptions are served (`listen: "serve"`). What becomes of the questions that a server asks while a request runs depends on the cell:',
    table([
      ["server", ...REVISIONS],
      ...SERVERS.map((server) => [server].concat(REVISIONS.map((revision) => inputOf(server, revision)))),
    ]),
  ];
}

function inputOf(server, revision) {
  const { input, rerun } = CELLS.find((cell) => cell.server === server && cell.revision === revision);
  return `\`inputMode: "${input}"\`${rerun === undefined ? "" : `, \`rerun: "${rerun}"\``}`;
}

function summary(findings) {
  const lines = findings.map(({ cell, scenarios }) => {
    const scored = scenarios.filter((scenario) => scenario.scored);
    const passed = scored.filter(({ verdict }) => verdict === "passes");
    return `- ${cell.server}: ${passed.length} of ${scored.length} required scenarios pass`;
  });
  return [lines.join("\n")];
}

function findingsTable(findings, groups) {
  const [{ scenarios }] = findings;
  const rows = scenarios.map(({ name, scored }, row) =>
    [name, scored ? "yes" : "no"].concat(
      findings.map(({ cell, scenarios }) => verdictCell(scenarios[row], cell, groups)),
    ),
  );
  return table([["scenario", "required", ...findings.map(({ cell }) => cell.server)], ...rows]);
}

function verdictCell({ name, verdict }, cell, groups) {
  if (verdict !== "fails as expected") return verdict;
  const numbers = groups.flatMap(({ cells, checks }, index) =>
    cells.includes(nameOf(cell)) && checks.some((check) => scenarioOf(check) === name) ? [index + 1] : [],
  );
  return `fails: ${numbers.join(", ")}`;
}

function describe({ cells, checks, reason }, index) {
  const list = checks.map((check) => `- \`${check}\``).join("\n");
  return `### ${index + 1}. ${cells.map((name) => name.replace(" ", " at ")).join(", ")}\n\n${reason.trim()}\n\n${list}`;
}

function scenarioOf(check) {
  return check.split(":")[0];
}

function table(rows) {
  const widths = rows[0].map((_cell, column) => Math.max(...rows.map((row) => row[column].length)));
  const [head, ...body] = rows.map((row) => line(row.map((cell, column) => cell.padEnd(widths[column]))));
  return [head, line(widths.map((width) => "-".repeat(width))), ...body].join("\n");
}

function line(cells) {
  return `| ${cells.join(" | ")} |`;
}

function versionOf(name) {
  const manifest = new URL(`../../node_modules/@modelcontextprotocol/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(manifest, "utf8")).version;
}
