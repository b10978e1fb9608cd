import type { ServerConfig } from "./options.ts";

/** What decides how a server runs, before `${VAR}` was filled in: nothing of the environment is in it. */
export interface WrittenConfig {
  readonly command?: string | undefined;
  readonly args?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly era?: string | undefined;
  readonly limits?: object | undefined;
  readonly permissions?: object | undefined;
  readonly wrapper?: readonly string[] | undefined;
}

/** Not enumerable where it is set: whoever prints, copies or compares a configuration sees what it says, and no more. */
const WRITTEN = Symbol("as written");

/** The entry, which remembers how its operator wrote it. */
export function withWritten(config: ServerConfig, written: WrittenConfig): ServerConfig {
  return Object.defineProperty(config, WRITTEN, { value: written });
}

/** How the operator wrote the entry; the entry itself where it came from no file. */
export function asWritten(config: ServerConfig): WrittenConfig {
  return (config as { readonly [WRITTEN]?: WrittenConfig })[WRITTEN] ?? config;
}
