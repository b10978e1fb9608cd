import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { splitCommandLine } from "../../lib/configuration/command-line.ts";
import { ConfigurationError } from "../../lib/configuration/error.ts";

describe("a command line", () => {
  const rows: readonly (readonly [line: string, words: readonly string[]])[] = [
    ["npx -y @scope/server .", ["npx", "-y", "@scope/server", "."]],
    ["  node\t a.mjs \n", ["node", "a.mjs"]],
    [`a "b c" 'd e'`, ["a", "b c", "d e"]],
    [`a --x="b c" --y='d'e"f"`, ["a", "--x=b c", "--y=def"]],
    [`a "" ''`, ["a", "", ""]],
    [`a "say \\"hi\\"" '\\"'`, ["a", 'say "hi"', '\\"']],
    [String.raw`a b\ c \"d \'e \\f`, ["a", "b c", '"d', "'e", String.raw`\f`]],
    [String.raw`C:\Tools\node.exe C:\a\b.mjs`, [String.raw`C:\Tools\node.exe`, String.raw`C:\a\b.mjs`]],
    [String.raw`"C:\Program Files\x.exe" -v`, [String.raw`C:\Program Files\x.exe`, "-v"]],
    [String.raw`a "\$HOME \${X} \x"`, ["a", String.raw`$HOME ${"$"}{X} \x`]],
    ["a $HOME; rm -rf * | `b` && c", ["a", "$HOME;", "rm", "-rf", "*", "|", "`b`", "&&", "c"]],
    ["é 😀", ["é", "😀"]],
  ];
  for (const [line, words] of rows) {
    test(`is split without a shell: ${JSON.stringify(line)}`, () => {
      assert.deepEqual(splitCommandLine(line, "X"), words);
    });
  }

  const errors: readonly (readonly [line: string, message: string])[] = [
    ["", "X: no command"],
    [" \n", "X: no command"],
    [`"" a`, "X: no command"],
    [`a "b`, "X: a quote is never closed"],
    [`a b'c`, "X: a quote is never closed"],
    [`'`, "X: a quote is never closed"],
    [`a "b\\"`, "X: a quote is never closed"],
  ];
  for (const [line, message] of errors) {
    test(`is refused with the reason: ${JSON.stringify(line)}`, () => {
      assert.throws(() => splitCommandLine(line, "X"), new ConfigurationError(message));
    });
  }
});
