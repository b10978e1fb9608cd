import { ConfigurationError } from "./error.ts";

/** A word: runs of quoted text, escaped characters and plain characters, without space between them. */
const WORD = /(?:"(?:\\.|[^"\\])*"|'[^']*'|\\[\s"'\\]|[^\s"'])+/gy;
const PIECE = /"((?:\\.|[^"\\])*)"|'([^']*)'|\\([\s"'\\])/g;

/**
 * Splits a command line as a shell would, without running one: single and double quotes, and a backslash before
 * a quote, a space or a backslash. Any other backslash is itself, so that Windows paths survive.
 * @throws ConfigurationError for a quote that is never closed, or a line without a word
 */
export function splitCommandLine(line: string, source: string): [string, ...string[]] {
  const words: string[] = [];
  let rest = line.trimStart();
  while (rest !== "") {
    WORD.lastIndex = 0;
    const word = WORD.exec(rest)?.[0];
    if (word === undefined) throw new ConfigurationError(`${source}: a quote is never closed`);
    words.push(unquote(word));
    rest = rest.slice(word.length);
    if (/^["']/.test(rest)) throw new ConfigurationError(`${source}: a quote is never closed`);
    rest = rest.trimStart();
  }
  const [command, ...args] = words;
  if (!command) throw new ConfigurationError(`${source}: no command`);
  return [command, ...args];
}

function unquote(word: string): string {
  return word.replace(PIECE, (_, double?: string, single?: string, escaped?: string) =>
    double === undefined ? (single ?? escaped ?? "") : double.replace(/\\(["\\$`])/g, "$1"),
  );
}
