import type { Option } from "commander";

import { ConfigurationError } from "../configuration/error.ts";
import { ONLY_OF_A_SERVER } from "../configuration/server-shape.ts";
import { commanderOption } from "./command-option.ts";
import { CONNECT_OPTIONS } from "./connect-options.ts";
import { lengthInConnect } from "./connect-words.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import { VALUE_SPELLINGS, refuseContradictions, spellingOf } from "./spellings.ts";
import type { Meant } from "./spellings.ts";

/** What the first word may be; any other one begins a command line for `serve` or `connect`. */
const FIRST = new Set(["serve", "connect", "build", "help", "--help", "-h", "--version", "-V"]);

/**
 * Writes out the `serve` or `connect` that may be left out. Not commander's default command: with that one, `--help` and
 * `--version` would be read as ours wherever they stand in the server's own command.
 */
export function withCommand(argv: readonly string[]): string[] {
  if (FIRST.has(argv[0] ?? "")) return [...argv];
  return [isOfConnect(argv) ? "connect" : "serve", ...argv];
}

/** Of both commands: no option takes a value in one of them and none in the other. */
const OPTIONS = [...CONNECT_OPTIONS, ...SERVE_OPTIONS].map((option) => commanderOption(option));

/** Whether a URL stands where the command line of a server would begin, or is named by mcp-sse-proxy's option. */
function isOfConnect(argv: readonly string[]): boolean {
  let at = 0;
  while (isOption(argv[at])) {
    if (/^--sse-url(?:=|$)/.test(argv[at] ?? "")) return true;
    at += lengthInConnect(argv.slice(at), OPTIONS) ?? take(argv.slice(at), OPTIONS).used;
  }
  return /^https?:\/\//i.test(argv[argv[at] === "--" ? at + 1 : at] ?? "");
}

/** One option of a command line, and how many words it takes up. */
interface Taken {
  readonly words: readonly string[];
  readonly used: number;
  readonly meant?: Meant;
}

/**
 * The options of `serve` in our own words: what other proxies call them, and `-e NAME VALUE` for `-e NAME=VALUE`.
 * Leaves everything from the server's own command on alone: its `-e` is none of ours.
 * @throws ConfigurationError for an option that stands there twice with different values, unless they add up
 */
export function inOurWords(argv: readonly string[], options: readonly Option[]): string[] {
  const first = argv[0] === "serve" ? 1 : 0;
  const all: Taken[] = [];
  let at = first;
  while (isOption(argv[at])) {
    const taken = take(argv.slice(at), options);
    all.push(taken);
    at += taken.used;
  }
  refuseContradictions(all.flatMap(({ meant }) => meant ?? []));
  return [...argv.slice(0, first), ...all.flatMap(({ words }) => words), ...argv.slice(at)];
}

function isOption(word: string | undefined): boolean {
  return word !== undefined && /^-./.test(word) && word !== "--";
}

function take(words: readonly string[], options: readonly Option[]): Taken {
  const [word = "", next] = words;
  const [, written = word, inline] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  const [, name = "", fixed] = /^([^=]*)(?:=(.*))?$/s.exec(spellingOf(written)?.means ?? written) ?? [];
  if (name === "") return { words: [], used: 1 };
  if (fixed !== undefined) return taken(written, name, fixed, true);
  const option = options.find(({ short, long }) => name === short || name === long);
  if (!option) refuseOfServer(name);
  if (!option?.required) return { words: [word], used: 1 };
  const pair = inline === undefined ? pairAt(name, words) : undefined;
  if (pair !== undefined) return { words: [name, pair], used: 3, meant: meantByPair(written, option, pair) };
  const text = inline ?? next;
  if (text === undefined) return { words: [name], used: 1 };
  const isInline = inline !== undefined;
  if (PAIRS.has(name))
    return { ...taken(written, name, text, isInline), meant: meantByPair(written, option, text) };
  if (option.parseArg) return repeated(written, name, inline, words);
  return taken(written, name, VALUE_SPELLINGS[name]?.[text] ?? text, isInline);
}

/** @throws ConfigurationError for what stands in mcp.json alone, written as an option */
function refuseOfServer(name: string): void {
  const key = ONLY_OF_A_SERVER.find((member) => kebab(member) === name.replace(/^--/, ""));
  if (key === undefined || !name.startsWith("--")) return;
  throw new ConfigurationError(`${name} is no option: it is "${key}" of a server in mcp.json`);
}

function kebab(member: string): string {
  return member.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function taken(written: string, option: string, value: string, isInline: boolean): Taken {
  const words = isInline ? [`${option}=${value}`] : [option, value];
  return { words, used: words.length, meant: { written, option, value } };
}

/** Options whose value names what it sets: each name counts as an option of its own. */
const PAIRS = new Set(["-e", "--env", "--named-server"]);

function meantByPair(written: string, { long }: Option, pair: string): Meant {
  const [, name = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
  return { written: `${written} ${name}`, option: `${long} ${name}`, value };
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The value of an option whose name and value are two words, if they are. */
function pairAt(option: string, [, name = "", value]: readonly string[]): string | undefined {
  if (value === undefined) return undefined;
  const isVariable = ["-e", "--env"].includes(option) && NAME.test(name) && !value.startsWith("--");
  const isServer = option === "--named-server" && !name.includes("=");
  return isVariable || isServer ? `${name}=${value}` : undefined;
}

const ORIGIN = /^(?:\*|null|[a-z][a-z\d+.-]*:\/\/.*)$/i;

/** A list, which adds up. `--allow-origin` takes all that follow it. */
function repeated(
  written: string,
  option: string,
  inline: string | undefined,
  words: readonly string[],
): Taken {
  const meant = (values: readonly string[]): Meant => ({
    written,
    option,
    value: values.join(),
    addsUp: true,
  });
  if (inline !== undefined) return { words: [`${option}=${inline}`], used: 1, meant: meant([inline]) };
  const more = written === "--allow-origin" ? words.slice(2) : [];
  const end = more.findIndex((word) => !ORIGIN.test(word));
  const values = words.slice(1, 2 + (end === -1 ? more.length : end));
  return {
    words: values.flatMap((value) => [option, value]),
    used: 1 + values.length,
    meant: meant(values),
  };
}
