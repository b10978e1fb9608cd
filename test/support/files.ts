import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { until } from "./deadline.ts";

/** Something that ends, and cleans up then: a test, or what several tests share. */
export type Scope = Pick<TestContext, "after">;

/** A new folder, removed after the test. */
export async function temporaryFolder(t: Scope): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "mayfly-test-")));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** The first complete line of the file that matches. The file may appear later, as who writes it may still have to start. */
export async function waitForLine(
  file: string,
  pattern: RegExp,
  { withinMs = 10_000 }: { readonly withinMs?: number } = {},
): Promise<string> {
  let content = "";
  const find = async (): Promise<string | undefined> => {
    content = await readFile(file, "utf8").catch(missing);
    return content
      .split("\n")
      .slice(0, -1)
      .find((line) => pattern.test(line));
  };
  const label = (): string => `a line like ${String(pattern)}, in ${JSON.stringify(content)}`;
  return until(find, { withinMs, label });
}

function missing(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
