import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The blocks of code of that language in a document of this repository, each with the heading above it. */
export async function codeIn(
  document: string,
  language: string,
): Promise<{ heading: string; code: string }[]> {
  const text = await readFile(join(ROOT, document), "utf8");
  const found = text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"));
  return [...found].map(({ 1: code = "", index }) => ({ heading: headingAbove(text.slice(0, index)), code }));
}

function headingAbove(text: string): string {
  return [...text.matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? "";
}
