import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { packageCall, resolveCommand } from "../lib/resolve.ts";
import { temporaryFolder } from "./support/files.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Made {
  readonly name: string;
  readonly version?: string;
  readonly bin?: unknown;
  readonly files?: Readonly<Record<string, string>>;
}

/** Installs a made-up package into the folder. */
async function install(folder: string, { name, version = "1.2.3", bin, files = {} }: Made): Promise<string> {
  const place = join(folder, "node_modules", name);
  const all = { "package.json": JSON.stringify({ name, version, bin }), ...files };
  for (const [file, content] of Object.entries(all)) {
    await mkdir(dirname(join(place, file)), { recursive: true });
    await writeFile(join(place, file), content);
  }
  return place;
}

/** What `npx -y ...words` becomes: a path below the folder, or undefined when it stays. */
function entryOf(folder: string, ...words: readonly string[]): string | undefined {
  const asked = { command: "npx", args: ["-y", ...words] };
  const { command, args } = resolveCommand(asked, folder);
  if (command === "npx") {
    assert.deepEqual(args, asked.args);
    return undefined;
  }
  assert.deepEqual([command, args.slice(1)], [process.execPath, words.slice(1)]);
  return args[0]
    ?.slice(folder.length + 1)
    .split(sep)
    .join("/");
}

const JS = "#!/usr/bin/env node\n";

describe("what npx is asked for", () => {
  const calls: readonly (readonly [
    args: string,
    name: string,
    version: string | undefined,
    rest: string[],
  ])[] = [
    ["server", "server", undefined, []],
    ["-y server", "server", undefined, []],
    ["--yes --quiet server a -y", "server", undefined, ["a", "-y"]],
    ["-y -q -- server --x", "server", undefined, ["--x"]],
    ["@scope/server .", "@scope/server", undefined, ["."]],
    ["server@1.2.3", "server", "1.2.3", []],
    ["@scope/server@latest a", "@scope/server", "latest", ["a"]],
    ["@scope/a.b-c_d@^1.2", "@scope/a.b-c_d", "^1.2", []],
    ["server@>=1", "server", ">=1", []],
  ];
  for (const [args, name, version, rest] of calls) {
    test(`with ${args} is ${name}`, () => {
      for (const command of ["npx", "npx.cmd"]) {
        assert.deepEqual(packageCall({ command, args: args.split(" ") }), { name, version, args: rest });
      }
    });
  }

  const others: readonly (readonly [command: string, args: string])[] = [
    ["node", "server"],
    ["/usr/bin/npx", "server"],
    ["npm", "exec server"],
    ["npx", ""],
    ["npx", "-y"],
    ["npx", "-p server tool"],
    ["npx", "--package server tool"],
    ["npx", "--package=server tool"],
    ["npx", "-c server"],
    ["npx", "--no-install server"],
    ["npx", "./server"],
    ["npx", "../server"],
    ["npx", "/opt/server"],
    ["npx", ".hidden"],
    ["npx", "github:user/server"],
    ["npx", "user/server"],
    ["npx", "https://example.com/server.tgz"],
    ["npx", "server@npm:other@1"],
    ["npx", "@scope"],
    ["npx", "@../../etc/server"],
  ];
  for (const [command, args] of others) {
    test(`with ${command} ${args} is left to it`, () => {
      const asked = { command, args: args.split(" ").filter((word) => word !== "") };
      assert.equal(packageCall(asked), undefined);
      assert.equal(resolveCommand(asked, ROOT), asked);
    });
  }
});

describe("an installed package runs its entry file under this Node", () => {
  const rows: readonly (readonly [what: string, made: Omit<Made, "name">, entry: string | undefined])[] = [
    ["with one command", { bin: "cli.js", files: { "cli.js": JS } }, "cli.js"],
    [
      "with one command of another name",
      { bin: { x: "./dist/x.mjs" }, files: { "dist/x.mjs": "" } },
      "dist/x.mjs",
    ],
    ["with a common JS file", { bin: "a.cjs", files: { "a.cjs": "" } }, "a.cjs"],
    ["with a file of no type", { bin: "bin/run", files: { "bin/run": JS } }, "bin/run"],
    ["with an absolute node", { bin: "run", files: { run: "#!/usr/local/bin/node\r\n" } }, "run"],
    [
      "with the command of its name",
      { bin: { other: "o.js", server: "s.js" }, files: { "o.js": JS, "s.js": JS } },
      "s.js",
    ],
    ["with two names for one command", { bin: { a: "s.js", b: "s.js" }, files: { "s.js": JS } }, "s.js"],
    [
      "unless no command has its name",
      { bin: { a: "a.js", b: "b.js" }, files: { "a.js": JS, "b.js": JS } },
      undefined,
    ],
    ["unless it has no command", { files: { "index.js": JS } }, undefined],
    ["unless its command is not there", { bin: "gone.js" }, undefined],
    [
      "unless its command is for a shell",
      { bin: "run.sh", files: { "run.sh": "#!/bin/sh\nexec node x\n" } },
      undefined,
    ],
    [
      "unless its command is for Python",
      { bin: "run.js", files: { "run.js": "#!/usr/bin/env python3\n" } },
      undefined,
    ],
    [
      "unless its command is for ts-node",
      { bin: "run.ts", files: { "run.ts": "#!/usr/bin/env ts-node\n" } },
      undefined,
    ],
    [
      "unless its command asks Node for more",
      { bin: "run.js", files: { "run.js": "#!/usr/bin/env -S node --experimental-vm-modules\n" } },
      undefined,
    ],
    ["unless its command is a program", { bin: "run", files: { run: "\u007FELF" } }, undefined],
  ];
  for (const [what, made, entry] of rows) {
    for (const name of ["server", "@scope/server"]) {
      test(`${what}: ${name}`, async (t) => {
        const folder = await temporaryFolder(t);
        await install(folder, { name, ...made });
        const expected = entry === undefined ? undefined : `node_modules/${name}/${entry}`;
        assert.equal(entryOf(folder, name, "--flag", "x y"), expected);
      });
    }
  }

  const made: Made = { name: "server", version: "1.2.3", bin: "s.js", files: { "s.js": JS } };

  for (const asked of ["server", "server@1.2.3", "server@latest"]) {
    test(`as ${asked}`, async (t) => {
      const folder = await temporaryFolder(t);
      await install(folder, made);
      assert.equal(entryOf(folder, asked), "node_modules/server/s.js");
    });
  }

  for (const asked of ["server@1.2.4", "server@1", "server@^1.2.3", "server@next", "other"]) {
    test(`but not as ${asked}, which is left to npx`, async (t) => {
      const folder = await temporaryFolder(t);
      await install(folder, made);
      assert.equal(entryOf(folder, asked), undefined);
    });
  }

  test("as the range or tag that mayfly build has installed it for", async (t) => {
    const folder = await temporaryFolder(t);
    await install(folder, made);
    await writeFile(join(folder, "package.json"), JSON.stringify({ mayfly: { server: "^1.2" } }));
    assert.equal(entryOf(folder, "server@^1.2"), "node_modules/server/s.js");
    assert.equal(entryOf(folder, "server@^1"), undefined);
  });

  test("from the nearest folder up that has it as it is asked for", async (t) => {
    const folder = await temporaryFolder(t);
    const inner = join(folder, "servers", "name");
    await install(folder, { ...made, version: "2.0.0" });
    await install(inner, made);
    assert.equal(entryOf(inner, "server"), "node_modules/server/s.js");
    const { args } = resolveCommand({ command: "npx", args: ["server@2.0.0"] }, inner);
    assert.equal(args[0], join(folder, "node_modules", "server", "s.js"));
  });

  test("from a folder that is not there itself", async (t) => {
    const folder = await temporaryFolder(t);
    await install(folder, made);
    const { args } = resolveCommand({ command: "npx", args: ["server"] }, join(folder, "servers", "none"));
    assert.equal(args[0], join(folder, "node_modules", "server", "s.js"));
  });

  test("when it is a real one", () => {
    const asked = { command: "npx", args: ["-y", "@modelcontextprotocol/server-everything", "stdio"] };
    const { command, args } = resolveCommand(asked, join(ROOT, "servers", "everything"));
    assert.deepEqual([command, args[1], args.length], [process.execPath, "stdio", 2]);
    assert.ok(args[0]?.startsWith(join(ROOT, "node_modules", "@modelcontextprotocol", "server-everything")));
    assert.ok(existsSync(args[0] ?? ""));
  });
});

test("nothing is read for a program that is not npx", () => {
  const asked = { command: "uvx", args: ["server"] };
  assert.equal(resolveCommand(asked, ROOT), asked);
});
