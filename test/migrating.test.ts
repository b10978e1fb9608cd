import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { commanderOption } from "../lib/cli/command-option.ts";
import { SERVE_OPTIONS } from "../lib/cli/serve-options.ts";
import { SPELLINGS, VALUE_SPELLINGS } from "../lib/cli/spellings.ts";
import { splitCommandLine } from "../lib/configuration/command-line.ts";
import { readLine } from "./support/command-line.ts";
import { runCommand, startServing } from "./support/command.ts";
import { within } from "./support/deadline.ts";
import { fixture } from "./support/fixture.ts";
import { call, post } from "./support/rpc.ts";

const PAGE = await readFile(new URL("../docs/migrating.md", import.meta.url), "utf8");

/** A command line of the page, without the name of the program. */
interface Line {
  readonly variables: Readonly<Record<string, string>>;
  readonly words: readonly string[];
}

function lineOf(text: string): Line {
  const words = splitCommandLine(text, "docs/migrating.md");
  const count = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
  const pairs = words.slice(0, count).map((word) => /^(.*?)=(.*)$/.exec(word)?.slice(1) ?? []);
  const program = ["npx", "python"].includes(words[count] ?? "") ? 2 : 1;
  return { variables: Object.fromEntries(pairs) as Line["variables"], words: words.slice(count + program) };
}

const EXAMPLES = [...PAGE.matchAll(/^```sh\n(.*)\n(.*)\n```$/gm)].map(
  ([, theirs = "", ours = ""]) => [theirs, ours] as const,
);

test("the page has an example of each proxy that serves", () => assert.equal(EXAMPLES.length, 6));

describe("theirs and ours ask for the same", () => {
  // Named servers have a file in place of a line.
  for (const [theirs, ours] of EXAMPLES.filter(([, line]) => !line.includes("mcp.json"))) {
    test(theirs, () => {
      const [first, second] = [lineOf(theirs), lineOf(ours)];
      const { HOST: _, ...variables } = second.variables;
      assert.deepEqual(readLine(first.words, first.variables), readLine(second.words, variables));
    });
  }
});

/** With a server that there is, on a port that is free. */
function runnable(line: string, token: string, server: readonly string[]): Line {
  const command = [...server, `--token=${token}`].join(" ");
  const text = line.replaceAll(/node \w+\.js/g, command).replaceAll("8080", "0");
  return lineOf(text);
}

describe("a command line of the page serves", () => {
  const lines = EXAMPLES.flat().filter((line) => !/mcp\.json|python main/.test(line));
  for (const line of lines) {
    test(line, async (t) => {
      const { command, args, token } = fixture("counter");
      const { words, variables: env } = runnable(line, token, [command, args[0] ?? ""]);
      const { url, stdout } = await startServing(t, words, { env, token });
      const path = /\/api$/m.test(stdout()) ? "/api" : "/mcp";
      const address = `${url.replace("0.0.0.0", "127.0.0.1")}${path}?auth_key=SECRET`;
      const answer = await within(fetch(address, post(call("count"))), 15_000, "an answer");
      assert.match(await answer.text(), /"text":"1"/);
    });
  }
});

describe("the table of spellings", () => {
  const theirs = [...PAGE.matchAll(/^\| `([^`]+)`/gm)].map(([, written]) => written);

  test("lists every one that is accepted, and no other", () => {
    const pairs = ["--named-server NAME LINE", "-e NAME VALUE"];
    const expected = [
      ...SPELLINGS.map(({ written }) => written),
      "--server stream",
      "--log-level WARNING",
      ...pairs,
    ];
    assert.deepEqual(new Set(theirs), new Set(expected));
  });

  test("tells of all values", () => {
    for (const name of Object.values(VALUE_SPELLINGS).flatMap((values) => Object.keys(values))) {
      assert.ok(PAGE.includes(name), name);
    }
  });

  test("stands in no help text, which has all of our own options", async (t) => {
    for (const words of [["--help"], ["serve", "--help"]]) {
      const { code, stdout } = await runCommand(t, words);
      assert.equal(code, 0);
      for (const { written } of SPELLINGS) assert.doesNotMatch(stdout, new RegExp(`${written}(?![-\\w])`));
      for (const option of SERVE_OPTIONS) {
        const { long } = commanderOption(option);
        assert.equal(
          stdout.includes(`  ${long} `) || stdout.includes(`, ${long} `),
          option.hidden !== true,
          `${long}`,
        );
        if (option.variable !== undefined) assert.match(stdout, new RegExp(`env:\\s+${option.variable}`));
      }
    }
  });
});
