import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { within } from "./support/deadline.ts";
import { temporaryFolder } from "./support/files.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WAIT_MS = 300_000;

interface Summary {
  readonly faults: readonly string[];
  readonly total: { readonly answered: number; readonly refused: number; readonly failed: number };
  readonly accounts: Readonly<Record<string, { readonly answered: number; readonly refused: number }>>;
}

test("requests that end in every way, sixteen at a time, are answered or refused, and leave nothing behind", async (t) => {
  const file = join(await temporaryFolder(t), "summary.json");
  // The built adapter, with a small heap. A longer run is `npm run soak -- --minutes 10`.
  const words = ["bench/soak.ts", "--minutes", "0.05", "--seed", "20261121", "--json", file];
  const soak = spawn(process.execPath, ["--import", "tsx", ...words], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(soak, "close") as Promise<[number | null]>;
  t.after(() => soak.kill());
  const output = (await within(soak.stdout.toArray(), WAIT_MS, "the soak ends")).join("");
  const [code] = await closed;
  assert.equal(code, 0, output);
  const { faults, total, accounts } = JSON.parse(await readFile(file, "utf8")) as Summary;
  assert.deepEqual(faults, []);
  t.diagnostic(`${total.answered} as expected, ${total.refused} refused for lack of room`);
  const kinds = Object.entries(accounts);
  assert.ok(kinds.length > 70, `${kinds.length} kinds`);
  const untried = kinds.filter(([, { answered, refused }]) => answered + refused === 0);
  assert.deepEqual(untried, []);
});
