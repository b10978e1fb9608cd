import { ConfigurationError } from "../configuration/error.ts";
import { SERVE_OPTIONS, nameOf } from "./serve-options.ts";

/** What the user wrote, by what errors of the library call it. */
export type TypedNames = ReadonlyMap<string, string>;

const NAMES: TypedNames = new Map(
  SERVE_OPTIONS.flatMap((option) => (option.places ?? []).map((place) => [place, nameOf(option)] as const)),
);

/** Text in quotes is somebody else's, and stays. */
const WORD = /"[^"]*"|\w+(?:\.\w+)*/g;

/**
 * Puts what the user wrote in the place of the library's names, in an error that is about one of them; what was not
 * written is called by its option.
 */
export function inTypedWords(error: unknown, typed: TypedNames): unknown {
  if (!(error instanceof ConfigurationError)) return error;
  const nameFor = (place: string): string | undefined => typed.get(place) ?? NAMES.get(place);
  const [first = ""] = /^[\w.]+(?=: )/.exec(error.message) ?? [];
  if (nameFor(first) === undefined) return error;
  const rename = (word: string, at: number): string =>
    (at === 0 || word.includes(".") ? nameFor(word) : undefined) ?? word;
  return new ConfigurationError(error.message.replace(WORD, rename), { cause: error });
}
