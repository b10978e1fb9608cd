import { readFileSync } from "node:fs";

import { referencesIn } from "../configuration/expand.ts";
import type { Variables } from "../configuration/expand.ts";
import { findConfig, findConfigFile } from "../configuration/find.ts";
import type { ConfigFile, FoundConfig } from "../configuration/find.ts";

/** What is built. */
export interface ConfigToBuild {
  readonly config: FoundConfig;
  /** Undefined for `MCP_SERVER_CONFIG`. */
  readonly file: ConfigFile | undefined;
  /** Variables that the configuration names and nobody has set. */
  readonly unset: readonly string[];
}

/**
 * The configuration, as `serve` finds it. A variable that is not set counts as empty: where servers are built, there need
 * be none of their keys.
 * @returns undefined if there is none
 * @throws ConfigurationError
 */
export function findConfigToBuild(variables: Variables, named?: string): ConfigToBuild | undefined {
  const { MCP_SERVER_CONFIG: text = "" } = variables;
  const file = findConfigFile(variables, named);
  const unset = unsetIn(file ? textOf(file) : text, variables);
  const all = { ...Object.fromEntries(unset.map((name) => [name, ""])), ...variables };
  const config = findConfig(all, named);
  return config && { config, file, unset };
}

/** Of a file that cannot be read, `findConfig` says so. */
function textOf({ path }: ConfigFile): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function unsetIn(text: string, variables: Variables): string[] {
  const needed = referencesIn(text).filter(({ hasDefault }) => !hasDefault);
  const names = new Set(needed.map(({ name }) => name));
  return [...names].filter((name) => variables[name] === undefined).toSorted();
}
