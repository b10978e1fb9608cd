import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { ServerConfig } from "../../lib/index.ts";
import { flawOfPermissions, permissionFlags } from "../../lib/sandbox/permissions.ts";
import { boxed } from "../support/boxed.ts";
import { ROOT } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";

const DENIED = "ERR_ACCESS_DENIED";
const CAN_REFUSE_NET = process.allowedNodeEnvironmentFlags.has("--allow-net");

async function withData(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "data", "file"), "data");
  await writeFile(join(folder, "other"), "other");
  return folder;
}

describe("a server with permissions", () => {
  test("may read its own package, and do nothing else", async (t) => {
    const folder = await withData(t);
    const { call } = boxed(t, "reaches-out", { permissions: {} });
    assert.match(await call("read", { path: join(ROOT, "package.json") }), /^done /);
    for (const [tool, args] of [
      ["read", { path: join(folder, "data", "file") }],
      ["read", { path: "/etc/passwd" }],
      ["write", { path: join(folder, "data", "new") }],
      ["start", {}],
      ["thread", {}],
    ] as const) {
      assert.equal(await call(tool, args), DENIED, tool);
    }
  });

  test("may read and write what is named, relative to its folder", async (t) => {
    const folder = await withData(t);
    const permissions = { fsRead: ["./data"], fsWrite: ["./data", "new"] };
    const { call } = boxed(t, "reaches-out", { cwd: folder, permissions });
    assert.equal(await call("read", { path: join(folder, "data", "file") }), "done data");
    assert.equal(await call("read", { path: join(folder, "other") }), DENIED);
    assert.equal(await call("write", { path: join(folder, "data", "new") }), "done ");
    assert.equal(await call("write", { path: join(folder, "new") }), "done ");
    assert.equal(await call("write", { path: join(folder, "other") }), DENIED);
    assert.equal(await readFile(join(folder, "other"), "utf8"), "other");
  });

  test("may read under both names what is behind a link", async (t) => {
    const folder = await withData(t);
    await symlink(join(folder, "data"), join(folder, "link"));
    const { call } = boxed(t, "reaches-out", { cwd: folder, permissions: { fsRead: ["link"] } });
    for (const name of ["link", "data"]) {
      assert.equal(await call("read", { path: join(folder, name, "file") }), "done data");
    }
  });

  test("may use the HOME and the temporary folder of its process, where they are named", async (t) => {
    const folder = await withData(t);
    const env = { HOME: join(folder, "data"), TMPDIR: folder };
    const permissions = { fsRead: ["{home}/file"], fsWrite: ["{tmp}/new"] };
    const { call } = boxed(t, "reaches-out", { env, permissions });
    assert.equal(await call("read", { path: join(folder, "data", "file") }), "done data");
    assert.equal(await call("write", { path: join(folder, "new") }), "done ");
    assert.equal(await call("write", { path: join(folder, "data", "file") }), DENIED);
  });

  test("may start programs and threads where that is granted", async (t) => {
    const { call } = boxed(t, "reaches-out", {
      permissions: { childProcess: true, worker: true, fsRead: ["*"] },
    });
    assert.deepEqual([await call("start"), await call("thread")], ["done 1", "done "]);
  });

  test("may use the network, unless that is refused", async (t) => {
    const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { call } = boxed(t, "reaches-out", { permissions: {} });
    assert.equal(await call("connect", { port }), "done ");
    if (!CAN_REFUSE_NET) return;
    const refused = boxed(t, "reaches-out", { permissions: { net: false } });
    assert.equal(await refused.call("connect", { port }), DENIED);
  });

  test("has them beside a limit of its heap", async (t) => {
    const { call } = boxed(t, "reaches-out", { permissions: {}, limits: { heapMiB: 100, openFiles: 100 } });
    const options = JSON.parse(await call("options")) as string[];
    assert.equal(options[0], "--max-old-space-size=100");
    assert.match(options[1] ?? "", /^--(experimental-)?permission$/);
  });

  test("has them by the name that another Node knows", async (t) => {
    const folder = await temporaryFolder(t);
    const node = join(folder, "node");
    await writeFile(node, `#!/bin/sh\nexec "${process.execPath}" "$@"\n`);
    await chmod(node, 0o755);
    const { call } = boxed(t, "reaches-out", {
      command: "node",
      env: { PATH: `${folder}:/usr/bin:/bin` },
      permissions: {},
    });
    assert.equal(await call("read", { path: "/etc/passwd" }), DENIED);
  });
});

describe("a real server runs with permissions", () => {
  const npx = (name: string, ...args: readonly string[]): Partial<ServerConfig> => ({
    command: "npx",
    args: ["-y", `@modelcontextprotocol/server-${name}`, ...args],
  });

  test("everything", async (t) => {
    const token = `--token=${fixture("echo").token}`;
    const { call } = boxed(t, "everything", { ...npx("everything", "stdio", token), permissions: {} });
    assert.equal(await call("echo", { message: "hello" }), "Echo: hello");
  });

  test("filesystem, which reaches no further than Node lets it", async (t) => {
    const folder = await withData(t);
    const data = join(folder, "data");
    const { call } = boxed(t, "filesystem", { ...npx("filesystem", data), permissions: { fsRead: [data] } });
    assert.equal(await call("read_text_file", { path: join(data, "file") }), "data");
    assert.match(
      await call("write_file", { path: join(data, "new"), content: "x" }),
      /Access to this API has been restricted/,
    );
    assert.equal(existsSync(join(data, "new")), false);
  });
});

/** A package that imports another: side by side (npm), or each in a folder of its own behind links (pnpm). */
async function installed(t: TestContext, layout: "npm" | "pnpm"): Promise<string> {
  const folder = await temporaryFolder(t);
  const modules = join(folder, "node_modules");
  const store = (name: string): string =>
    layout === "npm" ? modules : join(modules, ".pnpm", `${name}@1.0.0`, "node_modules");
  const box = await packageIn(store("box"), "box", { bin: "dist/box.mjs" });
  await mkdir(join(box, "dist"));
  await writeFile(
    join(box, "dist", "box.mjs"),
    '#!/usr/bin/env node\nimport "needed";\nimport "./reaches-out.mjs";\n',
  );
  for (const name of ["reaches-out.mjs", "_stdio.mjs"]) {
    await copyFile(join(ROOT, "test", "fixtures", "servers", name), join(box, "dist", name));
  }
  const needed = await packageIn(store("needed"), "needed", { main: "main.cjs" });
  await writeFile(join(needed, "main.cjs"), "module.exports = require('node:fs').readFileSync(__filename);");
  if (layout === "pnpm") {
    await symlink(box, join(modules, "box"));
    await symlink(needed, join(store("box"), "needed"));
  }
  return folder;
}

async function packageIn(modules: string, name: string, more: object): Promise<string> {
  const folder = join(modules, name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", ...more }));
  return folder;
}

describe("a package runs with permissions as it was installed", () => {
  for (const layout of ["npm", "pnpm"] as const) {
    test(`by ${layout}`, async (t) => {
      const folder = await installed(t, layout);
      await writeFile(join(folder, "secret"), "");
      const config = { command: "npx", args: ["-y", "box"], permissions: {} };
      const { call } = boxed(t, "box", config, { baseDirectory: folder });
      assert.match(
        await call("read", { path: join(folder, "node_modules", "box", "package.json") }),
        /^done /,
      );
      assert.equal(await call("read", { path: join(folder, "secret") }), DENIED);
    });
  }
});

describe("permissions that cannot be had are an error that names the place", () => {
  const node: ServerConfig = { command: process.execPath, args: ["x.js"] };
  const rows: readonly (readonly [string, ServerConfig, RegExp])[] = [
    [
      "of a program that is not Node",
      { command: "python3", permissions: {} },
      /permissions: only for servers that Node runs, and the command is not Node$/,
    ],
    [
      "of a package that is not installed",
      { command: "npx", args: ["-y", "no-such-package-here"], permissions: {} },
      /permissions: only .*install it next to the configuration/,
    ],
    [
      "beside NODE_OPTIONS",
      { ...node, env: { NODE_OPTIONS: "" }, permissions: {} },
      /permissions: NODE_OPTIONS of the server could undo them/,
    ],
    [
      "in a container",
      { ...node, command: "node", wrapper: ["docker", "run", "x"], permissions: {} },
      /permissions: the Node of a container is another one/,
    ],
    [
      "of a Node that is not there",
      { command: "/no/such/node", args: [], permissions: {} },
      /permissions: this Node did not say which options it knows \(ENOENT\)$/,
    ],
    [
      "of a program whose path is a pattern to Node",
      { ...node, args: ["a,b.js"], permissions: {} },
      /permissions: Node takes/,
    ],
    [
      "of a path that is one",
      { ...node, permissions: { fsRead: ["ok", "a*"] } },
      /permissions\.fsRead\[1\]: expected a path without/,
    ],
    [
      "of a path that nothing fills",
      { ...node, permissions: { fsRead: ["{user}"] } },
      /permissions\.fsRead\[0\]: unknown placeholder \{user\}/,
    ],
    [
      "that are misspelt",
      { ...node, permissions: { fsread: [] } as object },
      /permissions: unknown key "fsread": did you mean "fsRead"/,
    ],
    [
      "for a heap that is not Node's",
      { command: "python3", limits: { heapMiB: 5 } },
      /limits\.heapMiB: only for servers that Node runs/,
    ],
    [
      "for limits that are no whole numbers",
      { command: "x", limits: { cpuSeconds: 1.5 } },
      /limits\.cpuSeconds: expected a whole number from 1 to/,
    ],
    [
      "for limits that are nothing",
      { command: "x", limits: { openFiles: 0 } },
      /limits\.openFiles: expected a whole number from 1 to/,
    ],
    [
      "for a wrapper of nothing",
      { command: "x", wrapper: [] },
      /wrapper: expected a program and its arguments/,
    ],
    [
      "for a wrapper that nothing fills",
      { command: "x", wrapper: ["a", "{b}"] },
      /wrapper\[1\]: unknown placeholder \{b\}/,
    ],
  ];
  for (const [title, server, message] of rows) {
    test(title, () => {
      const options = { mcpServers: { box: server }, allowAnonymous: true, baseDirectory: ROOT };
      assert.throws(() => createHandler(options), { name: "ConfigurationError", message });
      assert.throws(() => createHandler(options), { message: /^mcpServers\.box\./ });
    });
  }

  test("of a Node that cannot keep a server from the network", () => {
    const known = new Set(["--experimental-permission", "--allow-addons", "--allow-wasi"]);
    assert.match(flawOfPermissions({ net: false }, known) ?? "", /^this Node cannot refuse net/);
    assert.equal(flawOfPermissions({ net: true }, known), undefined);
    assert.match(flawOfPermissions({}, new Set(["--allow-addons"])) ?? "", /no permission model/);
  });
});

describe("the options of Node", () => {
  const places = { home: "/h", tmp: "/t", cwd: "/no/cwd", name: "a", envNames: [] };
  const program = { entry: undefined, flag: "--permission" };
  const known = new Set(["--permission", "--allow-worker", "--allow-net", "--allow-child-process"]);
  const flags = (asked: object): string[] => permissionFlags(asked, program, known, places);

  test("name each folder once, and nothing in a folder that is named", () => {
    const fsRead = ["b", "/no/cwd/b/c", "b", "/no/cwd/bb", "{tmp}/x"];
    const read = ["/no/cwd/b", "/no/cwd/bb", "/t/x"].map((path) => `--allow-fs-read=${path}`);
    assert.deepEqual(flags({ fsRead }), ["--permission", ...read, "--allow-net"]);
  });

  test("grant all to one who asks for the root", () => {
    assert.deepEqual(flags({ fsRead: ["/", "x"], net: false }), ["--permission", "--allow-fs-read=*"]);
  });

  test("grant no path that a HOME makes a pattern", () => {
    const elsewhere = { ...places, home: "/a,/etc" };
    assert.deepEqual(permissionFlags({ fsRead: ["{home}"] }, program, known, elsewhere), [
      "--permission",
      "--allow-net",
    ]);
  });
});
