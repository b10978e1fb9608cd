import { findDuplicate } from "./duplicates.ts";
import { ConfigurationError } from "./error.ts";

const STRING_OR_COMMENT = /"(?:\\.|[^"\\])*"|\/\/[^\n\r]*|\/\*[^]*?\*\//g;
const STRING_OR_TRAILING_COMMA = /"(?:\\.|[^"\\])*"|,(?=\s*[}\]])/g;

/**
 * JSON with comments and trailing commas, as editors write it.
 * @throws ConfigurationError with the file, and line and column where the engine tells the position; also for a member
 * that stands twice, of which JSON.parse would drop the first without a word
 */
export function parseJsonc(text: string, source: string): unknown {
  const json = blank(blank(text, STRING_OR_COMMENT), STRING_OR_TRAILING_COMMA).replace(/^\uFEFF/, "");
  const value = parse(json, source);
  const twice = findDuplicate(json);
  if (!twice) return value;
  throw new ConfigurationError(`${source}${lineAndColumn(json, twice.at)}: ${twice.path}: stands twice`);
}

function parse(json: string, source: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new ConfigurationError(`${source}${positionIn(json, error as Error)}: not valid JSON`, {
      cause: error,
    });
  }
}

/** Spaces in place of what is left out keep every position as it was in the file. */
function blank(text: string, pattern: RegExp): string {
  return text.replace(pattern, (found) => (found.startsWith('"') ? found : found.replace(/[^\n\r]/g, " ")));
}

function positionIn(json: string, { message }: Error): string {
  const position = /position (\d+)/.exec(message)?.[1];
  return position === undefined ? "" : lineAndColumn(json, Number(position));
}

function lineAndColumn(json: string, position: number): string {
  const lines = json.slice(0, position).split("\n");
  return `:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`;
}
