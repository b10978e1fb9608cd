import { isDeepStrictEqual } from "node:util";

import type * as z from "zod/mini";

import { OWN, flawOfPassed } from "../environment.ts";
import { sandboxOf } from "../sandbox/sandbox.ts";
import { ConfigurationError } from "./error.ts";
import { HANDLER } from "./handler-shape.ts";
import type { HandlerOptions, McpConfig, ServerConfig } from "./options.ts";
import { SERVER, isEnabled } from "./server-shape.ts";
import { check } from "./shape.ts";

/**
 * The options without those that are undefined, and without servers that are disabled.
 * @param shape what they must be
 * @throws ConfigurationError
 */
export function checkOptions<Options extends HandlerOptions>(
  options: Options,
  shape: z.ZodMiniType = HANDLER,
): Options {
  check(shape, options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  // Of the options themselves and not of what the check has read: that is a copy, and a logger is none.
  const checked = { ...(Object.fromEntries(given) as Options), mcpServers: enabledOf(options) };
  checkTogether(checked);
  return checked;
}

/**
 * The servers of another configuration, for a handler that has those options.
 * @throws ConfigurationError also for an option that only another handler could have
 */
export function checkReconfiguration(config: McpConfig, options: HandlerOptions): McpConfig {
  check(HANDLER, config);
  const { mcpServers, default: chosen, ...others } = config as HandlerOptions;
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined || isDeepStrictEqual(value, options[name as keyof HandlerOptions])) continue;
    throw new ConfigurationError(`${name}: reconfigure changes mcpServers and default, and no other option`);
  }
  const { default: _, ...own } = options;
  const next = checkOptions({ ...own, mcpServers, ...(chosen !== undefined && { default: chosen }) });
  return { mcpServers: next.mcpServers, ...(chosen !== undefined && { default: chosen }) };
}

function enabledOf({ mcpServers }: McpConfig): McpConfig["mcpServers"] {
  const [all, enabled] = [
    Object.keys(mcpServers),
    Object.entries(mcpServers).filter(([, entry]) => isEnabled(entry)),
  ];
  for (const [name, entry] of enabled) check(SERVER, entry, { member: `mcpServers.${name}` });
  if (all.length === 0) throw new ConfigurationError("mcpServers: there is no server");
  if (enabled.length > 0) return Object.fromEntries(enabled);
  throw new ConfigurationError(`mcpServers: no server is enabled (disabled: ${all.join(", ")})`);
}

/** Characters of a secret that cannot be guessed. */
const MIN_SECRET = 32;

/** What an option needs of the others, and what no type can say. */
function checkTogether(options: HandlerOptions): void {
  const { mcpServers, default: chosen, authKeys = [], passEnv = [], stateSecrets = [] } = options;
  const names = Object.keys(mcpServers);
  if (chosen !== undefined && !names.includes(chosen)) {
    throw new ConfigurationError(`default: there is no enabled server "${chosen}"`);
  }
  if (authKeys.some((key) => key.trim() === "")) throw new ConfigurationError("authKeys: a key is empty");
  if (authKeys.length > 0 && options.authenticate) {
    throw new ConfigurationError("authKeys: authenticate decides in place of keys: give one of them");
  }
  if (stateSecrets.some((secret) => secret.length < MIN_SECRET)) {
    throw new ConfigurationError(`stateSecrets: a secret has less than ${MIN_SECRET} characters`);
  }
  const rerun = names.find((name) => (mcpServers[name]?.inputMode ?? options.inputMode) === "rerun");
  if (rerun !== undefined && stateSecrets.length === 0) {
    throw new ConfigurationError(`mcpServers.${rerun}: inputMode "rerun" needs a secret: set STATE_SECRET`);
  }
  for (const name of names) checkPrivate(name, mcpServers[name]);
  for (const [name, server] of Object.entries(mcpServers)) sandboxOf(name, server, options, process.env);
  const [flaw] = passEnv.flatMap((entry) => flawOfPassed(entry) ?? []);
  if (flaw !== undefined) throw new ConfigurationError(`passEnv: ${flaw}`);
  const own = passEnv.find((name) => OWN.some((mine) => mine === name));
  if (own !== undefined) throw new ConfigurationError(`passEnv: ${own} is Mayfly's own and never passed on`);
}

/** @throws ConfigurationError where all processes are given the same place that each should have alone */
function checkPrivate(server: string, config: ServerConfig | undefined): void {
  if (config?.private !== true) return;
  const shared = ["HOME", "TMPDIR"].find((name) => config.env?.[name] !== undefined);
  if (shared === undefined) return;
  throw new ConfigurationError(
    `mcpServers.${server}.private: each process gets a ${shared} of its own: leave it out of "env"`,
  );
}
