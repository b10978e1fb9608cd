import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { commanderOption } from "../lib/cli/command-option.ts";
import { CONNECT_OPTIONS } from "../lib/cli/connect-options.ts";
import type { ConnectAsked } from "../lib/cli/connect-options.ts";
import { CONNECT_SPELLINGS, CONNECT_VALUES, REFUSED, WITHOUT_EFFECT } from "../lib/cli/connect-spellings.ts";
import { SERVE_OPTIONS } from "../lib/cli/serve-options.ts";
import { SPELLINGS, VALUE_SPELLINGS } from "../lib/cli/spellings.ts";
import { splitCommandLine } from "../lib/configuration/command-line.ts";
import { readConnectLine, readLine } from "./support/command-line.ts";
import { runCommand, startServing } from "./support/command.ts";
import { within } from "./support/deadline.ts";
import { temporaryFolder } from "./support/files.ts";
import { fixture } from "./support/fixture.ts";
import { call, post } from "./support/rpc.ts";
import { PEM } from "./support/tls.ts";

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

const SERVING = EXAMPLES.filter(([, ours]) => !ours.includes("https://") && !ours.includes("http://"));
const CONNECTING = EXAMPLES.filter((example) => !SERVING.includes(example));

test("the page has an example of each proxy", () => {
  assert.deepEqual([SERVING.length, CONNECTING.length], [6, 5]);
});

describe("theirs and ours connect to the same, in the same way", () => {
  for (const [theirs, ours] of CONNECTING) {
    test(theirs, async (t) => {
      const file = join(await temporaryFolder(t), "ca.pem");
      await writeFile(file, PEM.root);
      const [first, second] = [theirs, ours].map((line) => lineOf(line.replace("ca.pem", file)));
      assert.ok(first && second);
      const [one, other] = [first, second].map(({ words, variables }) => readConnectLine(words, variables));
      assert.deepEqual(withoutAuto(one), withoutAuto(other));
    });
  }
});

/** `auto` is what it is without a word too. */
function withoutAuto(asked: ConnectAsked | undefined): unknown {
  const { transport, ...options } = asked?.options ?? {};
  return { ...asked, options: { ...options, transport: transport ?? "auto" } };
}

describe("theirs and ours ask for the same", () => {
  // Named servers have a file in place of a line.
  for (const [theirs, ours] of SERVING.filter(([, line]) => !line.includes("mcp.json"))) {
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
  const lines = SERVING.flat().filter((line) => !/mcp\.json|python main/.test(line));
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

describe("the table of spellings of connect", () => {
  const [, ofConnect = ""] = PAGE.split("### Accepted spellings of `connect`");
  const [table = ""] = ofConnect.split("\n## ");
  const theirs = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, written = ""]) => written);

  test("lists every one that is accepted, and no other", () => {
    const names = new Set(theirs.map((written) => written.split(" ")[0]));
    const expected = [...CONNECT_SPELLINGS.map(({ written }) => written), ...WITHOUT_EFFECT];
    const more = ["--transport", "--verify-ssl", "--sse-url", "--log-level"];
    assert.deepEqual(names, new Set([...expected, ...more]));
  });

  test("tells of all values, and the page of all that is refused", () => {
    for (const name of Object.values(CONNECT_VALUES).flatMap((values) => Object.keys(values))) {
      assert.ok(table.includes(name), name);
    }
    for (const name of Object.keys(REFUSED)) assert.ok(PAGE.includes(`\`${name}\``), name);
  });

  test("stands in no help text, which has all of our own options", async (t) => {
    const { code, stdout } = await runCommand(t, ["connect", "--help"]);
    assert.equal(code, 0);
    for (const { written } of CONNECT_SPELLINGS) {
      assert.doesNotMatch(stdout, new RegExp(`${written}(?![-\\w])`));
    }
    for (const option of CONNECT_OPTIONS) {
      assert.ok(stdout.includes(`  ${commanderOption(option).long} `), option.flags);
      if (option.variable !== undefined) assert.match(stdout, new RegExp(`env:\\s+${option.variable}`));
    }
  });
});

describe("the table of spellings", () => {
  const [, table = ""] = PAGE.split("\n## Accepted spellings");
  const theirs = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, written]) => written);

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
