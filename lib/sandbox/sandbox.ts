import { tmpdir } from "node:os";
import { basename, join, resolve as absolute } from "node:path";

import { ConfigurationError } from "../configuration/error.ts";
import type {
  HandlerOptions,
  ServerConfig,
  ServerLimits,
  ServerPermissions,
} from "../configuration/options.ts";
import { inheritedEnvironment } from "../environment.ts";
import type { Environment } from "../environment.ts";
import { SERVERS_FOLDER, resolveCommand } from "../resolve.ts";
import type { Command } from "../resolve.ts";
import { findLauncher, underLimits } from "./limits.ts";
import type { Launcher } from "./limits.ts";
import { entryOf, isNode, knownFlags } from "./node-program.ts";
import { flawOfPermissions, isPattern, modelOf, permissionFlags } from "./permissions.ts";
import type { PermittedProgram } from "./permissions.ts";
import { fillPlaceholders } from "./placeholders.ts";
import type { ProcessPlaces } from "./placeholders.ts";

/** What a server's processes are started in, from the outside to the inside. */
export interface Sandbox {
  /** The server's name. */
  readonly name: string;
  readonly wrapper: readonly string[];
  readonly limits: ServerLimits;
  readonly launcher: Launcher;
  readonly permissions: Permitted | undefined;
  /** Variables that every program of the host has, and that are nobody's setting. */
  readonly plain: Readonly<Record<string, string>>;
}

interface Permitted {
  readonly asked: ServerPermissions;
  readonly program: PermittedProgram;
  readonly known: ReadonlySet<string>;
}

/** A process that is to be started. */
interface Startable extends Command {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly sandbox?: Sandbox | undefined;
}

/**
 * The process as it is really started: the wrapper, in it the limits, in them Node with its permissions. The limits are
 * inside, since those of `docker run` itself would do nothing for the container.
 * @param env of this one process
 */
export function inSandbox<Parameters extends Startable>(
  parameters: Parameters,
  env: Readonly<Record<string, string>>,
): Parameters {
  const { sandbox, cwd } = parameters;
  if (!sandbox) return { ...parameters, env };
  const { name, plain, limits, launcher, wrapper } = sandbox;
  const envNames = Object.keys(parameters.env).filter((key) => parameters.env[key] !== plain[key]);
  const places = { home: env["HOME"] ?? "", tmp: env["TMPDIR"] ?? tmpdir(), cwd, name, envNames };
  const limited = underLimits(withNodeFlags(parameters, sandbox, places), limits, launcher);
  const [command = "", ...args] = [...fillPlaceholders(wrapper, places), limited.command, ...limited.args];
  return { ...parameters, command, args, env };
}

function withNodeFlags({ command, args }: Command, sandbox: Sandbox, places: ProcessPlaces): Command {
  const { permissions, limits } = sandbox;
  const heap = limits.heapMiB === undefined ? [] : [`--max-old-space-size=${limits.heapMiB}`];
  if (!permissions) return { command, args: [...heap, ...args] };
  const { asked, program, known } = permissions;
  return { command, args: [...heap, ...permissionFlags(asked, program, known, places), ...args] };
}

/** What a server runs, without what it runs in. A container has its own files: there, `npx` stays `npx`. */
export function commandOf(name: string, config: ServerConfig, base: string): Command {
  const asked = { command: config.command, args: config.args ?? [] };
  return isContainer(config.wrapper) ? asked : resolveCommand(asked, join(base, SERVERS_FOLDER, name));
}

const CONTAINERS = new Set(["docker", "podman", "nerdctl", "finch", "container"]);

/** Also behind another wrapper, such as `timeout 60 docker run`; a folder that is called docker makes none. */
export function isContainer(wrapper: readonly string[] = []): boolean {
  const isVerb = (word = ""): boolean => ["run", "exec"].includes(word);
  return wrapper.some((word, at) => CONTAINERS.has(basename(word)) && (at === 0 || isVerb(wrapper[at + 1])));
}

/**
 * The sandbox that the operator asks for; undefined for none.
 * @throws ConfigurationError for one that this host, or this program, cannot have
 */
export function sandboxOf(
  name: string,
  config: ServerConfig,
  options: HandlerOptions,
  own: Environment,
): Sandbox | undefined {
  const { limits = {}, permissions, wrapper = [] } = config;
  if (!config.limits && !permissions && wrapper.length === 0) return undefined;
  const inherited = inheritedEnvironment(own, options.passEnv ?? []);
  const program = { config, env: { ...inherited, ...config.env }, base: baseOf(options), name };
  if (limits.heapMiB !== undefined) needNode(program, "limits.heapMiB");
  return {
    name,
    wrapper,
    limits,
    launcher: launcherFor(program, own),
    permissions: permissions && permitted(program, permissions),
    plain: plainVariables(config, options, own),
  };
}

function baseOf({ baseDirectory }: HandlerOptions): string {
  return absolute(baseDirectory ?? process.cwd());
}

interface Program {
  readonly name: string;
  readonly config: ServerConfig;
  readonly env: Readonly<Record<string, string>>;
  readonly base: string;
}

function flaw({ name }: Program, member: string, what: string): ConfigurationError {
  return new ConfigurationError(`mcpServers.${name}.${member}: ${what}`);
}

/** A container has a shell of its own, or none: the host's says nothing about it. */
function launcherFor(program: Program, own: Environment): Launcher {
  const { limits = {}, wrapper } = program.config;
  const { heapMiB: _, ...ofTheSystem } = limits;
  if (Object.keys(ofTheSystem).length === 0 || isContainer(wrapper)) return "sh";
  if (process.platform === "win32") throw flaw(program, "limits", "Windows has no such limits");
  const launcher = findLauncher(own["PATH"]);
  if (launcher) return launcher;
  throw flaw(program, "limits", "this host has neither /bin/sh nor prlimit to set them");
}

function needNode(program: Program, member: string): Command {
  const { config, name, base } = program;
  const command = commandOf(name, config, base);
  if (isNode(command)) return command;
  const hint = /^npx(?:\.cmd)?$/.test(command.command)
    ? "npx runs the package: install it next to the configuration, and Node runs it"
    : "the command is not Node";
  throw flaw(program, member, `only for servers that Node runs, and ${hint}`);
}

function permitted(program: Program, asked: ServerPermissions): Permitted {
  const { config, env, base } = program;
  const command = needNode(program, "permissions");
  if (isContainer(config.wrapper)) {
    throw flaw(program, "permissions", "the Node of a container is another one: limit the container");
  }
  if (env["NODE_OPTIONS"] !== undefined) {
    throw flaw(program, "permissions", "NODE_OPTIONS of the server could undo them: write it into args");
  }
  const cwd = absolute(base, config.cwd ?? ".");
  const known = knownFlags(command, { env, cwd }, `mcpServers.${program.name}.permissions`);
  const wrong = flawOfPermissions(asked, known);
  if (wrong !== undefined) throw flaw(program, "permissions", wrong);
  const entry = entryOf(command, cwd);
  if (entry !== undefined && isPattern(entry)) {
    throw flaw(
      program,
      "permissions",
      'Node takes "*" and "," in the path of the program for more than one path',
    );
  }
  return { asked, known, program: { entry, flag: modelOf(known) ?? "" } };
}

/** What the operator names for this server is a setting, even if every program has a variable of that name. */
function plainVariables(
  { env = {} }: ServerConfig,
  { passEnv = [] }: HandlerOptions,
  own: Environment,
): Record<string, string> {
  const all = Object.entries(inheritedEnvironment(own, []));
  return Object.fromEntries(all.filter(([name]) => !(name in env) && !passEnv.includes(name)));
}
