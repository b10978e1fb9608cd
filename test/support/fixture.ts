import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";

export interface Fixture {
  readonly command: string;
  readonly args: readonly string[];
  /** Stands in the arguments of the server and of what it starts. */
  readonly token: string;
}

/** How to start test/fixtures/servers/<name>.mjs. */
export function fixture(name: string, ...args: readonly string[]): Fixture {
  const file = fileURLToPath(new URL(`../fixtures/servers/${name}.mjs`, import.meta.url));
  const token = testToken();
  return { command: process.execPath, args: [file, `--token=${token}`, ...args], token };
}

/** A text that no other process has in its arguments. */
export function testToken(): string {
  return randomUUID();
}

/** The text that the fixture `big` answers: blocks of 64 characters, each ending with its own offset. */
export function bigText(bytes: number): string {
  const blocks = Array.from({ length: Math.ceil(bytes / 64) }, (_, index) => index * 64);
  const text = blocks.map((offset) => String(offset).padStart(64, ".")).join("");
  return text.slice(0, bytes);
}
