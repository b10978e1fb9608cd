import { ConfigurationError } from "../configuration/error.ts";
import { nameOf } from "./command-option.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";

/** What the user wrote, by what errors of the library call it. */
export type TypedNames = ReadonlyMap<string, string>;

const NAMES: TypedNames = new Map(
  SERVE_OPTIONS.flatMap((option) => (option.places ?? []).map((place) => [place, nameOf(option)] as const)),
);

/** Text in quotes is somebody else's, and stays. */
const WORD = /"[^"]*"|\w+(?:\.\w+)*(?:\[\d+\])?/g;

/**
 * Puts what the user wrote in the place of the library's names, in an error that is about one of them; what was not
 * written is called by its option.
 */
export function inTypedWords(error: unknown, typed: TypedNames): unknown {
  if (!(error instanceof ConfigurationError)) return error;
  // An option that takes a list has one name for all that stands in it.
  const nameFor = (word: string): string | undefined => {
    const place = word.replace(/\[\d+\]$/, "");
    return typed.get(place) ?? NAMES.get(place);
  };
  const [first = ""] = /^[\w.]+(?:\[\d+\])?(?=: )/.exec(error.message) ?? [];
  if (nameFor(first) === undefined) return error;
  const rename = (word: string, at: number): string =>
    (at === 0 || word.includes(".") ? nameFor(word) : undefined) ?? word;
  return new ConfigurationError(error.message.replace(WORD, rename), { cause: error });
}
