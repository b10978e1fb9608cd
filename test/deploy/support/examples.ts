import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

import { parse as parseToml } from "smol-toml";
import { parseAllDocuments } from "yaml";

import { commanderOption } from "../../../lib/cli/command-option.ts";
import { SERVE_OPTIONS } from "../../../lib/cli/serve-options.ts";
import { ROOT } from "../../support/documents.ts";

/** Every file below examples/, relative to the repository. */
export async function exampleFiles(): Promise<string[]> {
  const entries = await readdir(join(ROOT, "examples"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length)).toSorted();
}

export function read(file: string): Promise<string> {
  return readFile(join(ROOT, file), "utf8");
}

/** What is in the file, of which each test reads some fields. */
export type Parsed = any;

/** The documents of a YAML file. @throws for a mistake in one, and for a tag that is not known */
export async function yaml(file: string): Promise<Parsed[]> {
  const documents = parseAllDocuments(await read(file));
  return documents.map((document) => {
    const [first] = [...document.errors, ...document.warnings];
    if (first) throw first;
    return document.toJS();
  });
}

export async function toml(file: string): Promise<Parsed> {
  return parseToml(await read(file));
}

/** The variables that `mayfly serve` reads. */
export const VARIABLES = new Set(SERVE_OPTIONS.map(({ variable }) => variable));

const FLAGS = new Set(SERVE_OPTIONS.map((option) => commanderOption(option).long));

/** The options among the words that Mayfly does not have. */
export function unknownOptions(words: readonly string[]): string[] {
  return words.filter((word) => word.startsWith("--") && word !== "--" && !FLAGS.has(word));
}

/** The word behind an option, as a number. */
export function numberAfter(words: readonly string[], option: string): number {
  return Number(words[words.indexOf(option) + 1]);
}
