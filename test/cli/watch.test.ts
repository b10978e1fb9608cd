import assert from "node:assert/strict";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { watchFiles } from "../../lib/cli/watch.ts";
import type { Reading } from "../../lib/cli/watch.ts";
import { until } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";

const WAIT_MS = 15_000;
/** Between two looks at the file. */
const POLL_MS = 500;

interface Watched {
  readonly folder: string;
  readonly file: string;
  /** What has been read so far; `null`: an error. */
  readonly read: readonly (string | null)[];
  readonly next: (count: number) => Promise<unknown>;
  readonly stop: () => void;
}

async function setUp(t: TestContext, name = "f.json"): Promise<Watched> {
  const folder = await temporaryFolder(t);
  const file = join(folder, name);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, "first");
  const read: (string | null)[] = [];
  const use = (reading: Reading<string>): void =>
    void read.push("content" in reading ? reading.content : null);
  const stop = watchFiles([file], () => readFileSync(file, "utf8"), use);
  t.after(stop);
  const next = (count: number): Promise<unknown> =>
    until(() => read.length >= count, {
      withinMs: WAIT_MS,
      label: () => `${count} readings: ${read.join()}`,
    });
  await next(1);
  return { folder, file, read, next, stop };
}

describe("a file is read again", () => {
  test("when it is written in place, also with as many characters", async (t) => {
    const { file, read, next } = await setUp(t);
    await writeFile(file, "secnd");
    await next(2);
    assert.deepEqual(read, ["first", "secnd"]);
  });

  test("when another takes its place", async (t) => {
    const { folder, file, read, next } = await setUp(t);
    for (const [index, content] of ["second", "third"].entries()) {
      await writeFile(join(folder, "new"), content);
      await rename(join(folder, "new"), file);
      await next(index + 2);
    }
    assert.deepEqual(read, ["first", "second", "third"]);
  });

  test("when it goes, and when it comes back", async (t) => {
    const { file, read, next } = await setUp(t);
    await rm(file);
    await next(2);
    await writeFile(file, "back");
    await next(3);
    assert.deepEqual(read, ["first", null, "back"]);
  });

  test("when a link in its path leads elsewhere, as in mounted configuration maps", async (t) => {
    const { folder, read, next, stop } = await setUp(t, "v1/f.json");
    stop();
    const link = join(folder, "data");
    await symlink("v1", link);
    const file = join(link, "f.json");
    t.after(
      watchFiles(
        [file],
        () => readFileSync(file, "utf8"),
        (reading) => void (read as (string | null)[]).push("content" in reading ? reading.content : null),
      ),
    );
    await next(2);
    await mkdir(join(folder, "v2"));
    await writeFile(join(folder, "v2", "f.json"), "second");
    await symlink("v2", join(folder, "next"));
    await rename(join(folder, "next"), link);
    await next(3);
    assert.deepEqual(read, ["first", "first", "second"]);
  });
});

test("several files are read together when one of them changes", async (t) => {
  const folder = await temporaryFolder(t);
  const files = ["a", "b"].map((name) => join(folder, name));
  for (const file of files) await writeFile(file, "1");
  const read: string[] = [];
  const readAll = (): string => files.map((file) => readFileSync(file, "utf8")).join("");
  t.after(watchFiles(files, readAll, (reading) => read.push("content" in reading ? reading.content : "")));
  for (const [file, all] of [
    ["", "11"],
    ["b", "12"],
    ["a", "22"],
  ] as const) {
    if (file !== "") await writeFile(join(folder, file), "2");
    await until(() => read.at(-1) === all, { withinMs: WAIT_MS, label: () => `${all}: ${read.join()}` });
  }
  assert.deepEqual(read, ["11", "12", "22"]);
});

test("what is still being written is not read", async (t) => {
  const { file, read, next } = await setUp(t);
  let [length, last, pause] = [0, performance.now(), 0];
  const end = last + 3 * POLL_MS;
  // Faster than the looks, and for longer than several of them.
  await until(
    async () => {
      await writeFile(file, "x".repeat((length += 1)));
      pause = Math.max(pause, performance.now() - last);
      last = performance.now();
      return last > end;
    },
    { withinMs: WAIT_MS, label: "the file has been written slowly" },
  );
  // What a busy machine does not write from one look to the next cannot be told from a file that is finished.
  const soonest = pause < POLL_MS ? 1 : read.length;
  assert.equal(read.length, soonest, `it was read although it was written every ${pause} milliseconds`);
  await next(soonest + 1);
  assert.equal(read.at(-1), await readFile(file, "utf8"));
});

test("a file that stays is read once, and a watch that was stopped reads nothing", async (t) => {
  const one = await setUp(t);
  one.stop();
  await writeFile(one.file, "second");
  const other = await setUp(t);
  await writeFile(other.file, "second");
  await other.next(2);
  assert.deepEqual([one.read, other.read], [["first"], ["first", "second"]]);
});
