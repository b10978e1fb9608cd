import { referencesIn } from "../configuration/expand.ts";
import type { ServerConfig } from "../configuration/options.ts";
import { asWritten } from "../configuration/written.ts";
import type { Environment } from "../environment.ts";
import { snapshotText } from "./format.ts";
import type { Snapshot } from "./format.ts";

/** As in the log: a shorter value stands in too many texts by chance. */
const MIN_CHARACTERS = 6;
/** Of a value that the entry itself has: most of them are words that mean something to the server. */
const MIN_OF_ENTRY = 8;

/**
 * A variable whose value a server repeats in what it lists: it may be a secret, which no file may hold. Of those that
 * the operator hands on, those that the entry fills in, and those that it sets.
 * @param own the variables of this process
 */
export function exposedVariable(
  snapshot: Snapshot,
  config: ServerConfig,
  own: Environment,
): string | undefined {
  const { key, ...answers } = snapshot;
  const { env = {} } = config;
  const handedOn = key.environment.filter((name) => !Object.hasOwn(env, name));
  const text = snapshotText({ key: { ...key, environment: [] }, ...answers });
  return (
    [...handedOn, ...filledIn(config)].find((name) => isIn(text, own[name], MIN_CHARACTERS)) ??
    Object.keys(env).find((name) => isIn(text, env[name], MIN_OF_ENTRY))
  );
}

function filledIn(config: ServerConfig): string[] {
  return referencesIn(JSON.stringify(asWritten(config))).map(({ name }) => name);
}

/** Answers stand in the file as texts in a text: what JSON escapes is escaped twice. */
function isIn(text: string, value = "", minCharacters: number): boolean {
  if (value.length < minCharacters) return false;
  return text.includes(value) || text.includes(escaped(escaped(value)));
}

function escaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}
