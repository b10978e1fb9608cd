import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { startServing } from "../support/command.ts";
import type { ServingCommand } from "../support/command.ts";
import { until } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import { PEM, certificateAt } from "../support/tls.ts";

/** Until a change must have been taken over. */
const LIVE_MS = 4000;

interface Entry {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
}

interface Live extends ServingCommand {
  readonly port: number;
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** What the log says about the certificates, once it has so many lines. */
  readonly told: (count: number) => Promise<Entry[]>;
}

/** `mayfly` with certificates in files. */
async function setUp(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Live> {
  const { command, args, token } = fixture("counter");
  const folder = await temporaryFolder(t);
  const write: Live["write"] = async (contents) => {
    for (const [name, text] of Object.entries(contents)) {
      await writeFile(join(folder, `${name}.new`), text);
      await rename(join(folder, `${name}.new`), join(folder, name));
    }
  };
  await write(files);
  const words = Object.keys(files).flatMap((name) => [`--ssl-${name}`, join(folder, name)]);
  const serving = await startServing(t, [...words, "--", command, ...args], { env, token });
  const entries = (): Entry[] =>
    serving
      .stderr()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Entry)
      .filter(({ msg }) => msg.startsWith("The certificates"));
  const told = async (count: number): Promise<Entry[]> => {
    await until(() => entries().length >= count, { withinMs: LIVE_MS, label: serving.stderr });
    return entries();
  };
  return { ...serving, port: Number(new URL(serving.url).port), write, told };
}

test("certificates are taken over when their files change, and those that cannot work are reported", async (t) => {
  const live = await setUp(t, { cert: PEM.leaf, key: PEM.key });
  assert.equal(await certificateAt(live.port), PEM.leaf);
  await live.write({ cert: PEM.other, key: PEM.otherKey });
  const [taken] = await live.told(1);
  assert.deepEqual([taken?.level, taken?.msg], [30, "The certificates have been taken over"]);
  assert.equal(await certificateAt(live.port), PEM.other);
  await live.write({ key: PEM.key });
  const [, refused] = await live.told(2);
  assert.deepEqual([refused?.level, refused?.reason], [50, "--ssl-key: it does not belong to --ssl-cert"]);
  assert.match(refused?.msg ?? "", /those before stay$/);
  assert.equal(await certificateAt(live.port), PEM.other);
  await live.write({ cert: PEM.leaf });
  await live.told(3);
  assert.equal(await certificateAt(live.port), PEM.leaf);
  assert.equal((await live.told(3)).length, 3);
});

test("a file that goes is reported, and the certificates stay", async (t) => {
  const live = await setUp(t, { cert: PEM.leaf, key: PEM.key, ca: PEM.intermediate });
  const words = live.process.spawnargs;
  await rm(words[words.indexOf("--ssl-ca") + 1] ?? "");
  const [refused] = await live.told(1);
  assert.match(refused?.reason ?? "", /^--ssl-ca: .* cannot be read \(ENOENT\)$/);
  assert.equal(await certificateAt(live.port), PEM.leaf);
  live.process.kill("SIGTERM");
  assert.equal((await live.exit()).code, 0);
});

const LOCKED = createPrivateKey(PEM.key).export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: "letmein",
});

test("a locked key is opened by SSL_KEY_PASSPHRASE, or by a file that holds its passphrase", async (t) => {
  const key = LOCKED.toString();
  const byVariable = await setUp(t, { cert: PEM.leaf, key }, { SSL_KEY_PASSPHRASE: "letmein" });
  assert.equal(await certificateAt(byVariable.port), PEM.leaf);
  const byFile = await setUp(t, { cert: PEM.leaf, key, "passphrase-file": "letmein\n" });
  assert.equal(await certificateAt(byFile.port), PEM.leaf);
});
