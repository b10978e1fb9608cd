// What is known to fail, and why; and whether what happened is that.
import { readFileSync } from "node:fs";

import { parse } from "yaml";

import { nameOf } from "./cells.mjs";

const FILE = new URL("expected-failures.yml", import.meta.url);
const FAILED = new Set(["FAILURE", "WARNING"]);

/**
 * The groups of the file: cells, checks, reason.
 * @throws for a group without a reason, or with a cell that is not there
 */
export function readExpectations(cells) {
  const groups = parse(readFileSync(FILE, "utf8")) ?? [];
  const names = new Set(cells.map(nameOf));
  for (const { cells: listed, checks, reason } of groups) {
    if (!reason || !checks?.length) throw new Error(`A group of ${FILE.pathname} lacks checks or a reason`);
    const unknown = listed.find((name) => !names.has(name));
    if (unknown !== undefined) throw new Error(`There is no cell ${unknown}`);
  }
  return groups;
}

export function expectedIn(groups, cell) {
  return groups.filter(({ cells }) => cells.includes(nameOf(cell))).flatMap(({ checks }) => checks);
}

/**
 * What became of one scenario. A check that repeats has failed if it failed once. An expected failure must be seen
 * to fail: what passes, and what does not run any more, is to be taken off the list.
 * @returns the verdict, and every surprise as a line of text
 */
export function judge({ name }, checks, expected) {
  const failed = new Map(checks.filter(({ status }) => FAILED.has(status)).map((check) => [check.id, check]));
  const wholly = expected.includes(name);
  const entries = expected.filter((entry) => entry === name || entry.startsWith(`${name}:`));
  const surprises = [
    ...(checks.length === 0 ? [`${name} did not run to its end`] : []),
    ...[...failed.values()]
      .filter(({ id }) => !wholly && !entries.includes(`${name}:${id}`))
      .map(({ id, status, errorMessage }) => `${name}:${id} ${status}: ${errorMessage}`),
    ...entries
      .filter((entry) => !isSeen(entry, name, failed))
      .map((entry) => `${entry} was expected to fail`),
  ];
  return { verdict: verdictOf(checks, failed, surprises), surprises };
}

function isSeen(entry, name, failed) {
  return entry === name ? failed.size > 0 : failed.has(entry.slice(name.length + 1));
}

function verdictOf(checks, failed, surprises) {
  if (surprises.length > 0) return "unexpected";
  if (failed.size > 0) return "fails as expected";
  return checks.some(({ status }) => status === "SUCCESS") ? "passes" : "does not apply";
}
