import type { Option } from "commander";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What the first word may be; any other one begins a command line for `serve`. */
const FIRST = new Set(["serve", "build", "help", "--help", "-h", "--version", "-V"]);

/**
 * Writes out the `serve` that may be left out. Not commander's default command: with that one, `--help` and
 * `--version` would be read as ours wherever they stand in the server's own command.
 */
export function withCommand(argv: readonly string[]): string[] {
  return FIRST.has(argv[0] ?? "") ? [...argv] : ["serve", ...argv];
}

/**
 * Turns `-e NAME VALUE` into `-e NAME=VALUE`, as older proxies take it. Leaves everything from the server's own
 * command on alone: its `-e` is none of ours.
 */
export function joinEnvPairs(argv: readonly string[], options: readonly Option[]): string[] {
  const [first, second, third] = argv;
  if (first === undefined || first === "--") return [...argv];
  if (!first.startsWith("-"))
    return first === "serve" ? [first, ...joinEnvPairs(argv.slice(1), options)] : [...argv];
  const takesValue = options.some((option) => [option.short, option.long].includes(first) && option.required);
  if (!takesValue || second === undefined) return [first, ...joinEnvPairs(argv.slice(1), options)];
  const isPair = ["-e", "--env"].includes(first) && NAME.test(second) && third?.startsWith("--") === false;
  return isPair
    ? [first, `${second}=${third}`, ...joinEnvPairs(argv.slice(3), options)]
    : [first, second, ...joinEnvPairs(argv.slice(2), options)];
}
