import type { Option } from "commander";

import { ConfigurationError } from "../configuration/error.ts";
import {
  CONNECT_SPELLINGS,
  CONNECT_VALUES,
  REFUSED,
  UNCHECKED,
  WITHOUT_EFFECT,
} from "./connect-spellings.ts";
import { refuseContradictions } from "./spellings.ts";
import type { Meant } from "./spellings.ts";

/** One option or word of a command line, and how many words it takes up. */
interface Taken {
  readonly words: readonly string[];
  readonly used: number;
  readonly meant?: Meant;
}

/**
 * A command line of `connect` in our own words: what other programs call an option, wherever it stands. Theirs that
 * cannot mean anything are errors that say what to do.
 * @param argv with or without the word `connect` before it
 * @throws ConfigurationError also for an option that stands there twice with different values, unless it adds up
 */
export function inConnectWords(argv: readonly string[], options: readonly Option[]): string[] {
  const all: Taken[] = [];
  const seconds = argv.some((word) => /^--sse-url(?:=|$)/.test(word));
  for (let at = argv[0] === "connect" ? 1 : 0; at < argv.length; at += all.at(-1)?.used ?? 1) {
    const isLast = argv[at] === "--";
    all.push(isLast ? rest(argv.slice(at)) : take(argv.slice(at), options, seconds));
  }
  refuseContradictions(all.flatMap(({ meant }) => meant ?? []));
  return ["connect", ...withoutCallbackPort(all)];
}

/** How many words an option of other programs takes up, which only `connect` has; undefined for all others. */
export function lengthInConnect(words: readonly string[], options: readonly Option[]): number | undefined {
  const [, name = ""] = /^([^=]*)/.exec(words[0] ?? "") ?? [];
  if (REFUSED[name] !== undefined && !options.some(({ long }) => long === name))
    return lengthOfRefused(words);
  return THEIRS.has(name) ? take(words, options, false).used : undefined;
}

const THEIRS = new Set([
  ...CONNECT_SPELLINGS.map(({ written }) => written),
  ...WITHOUT_EFFECT,
  "--verify-ssl",
]);

/** Whether it has a value matters only until the URL is found. */
function lengthOfRefused([word = "", next = ""]: readonly string[]): number {
  return word.includes("=") || /^(?:-|https?:)/.test(next) ? 1 : 2;
}

function rest(words: readonly string[]): Taken {
  return { words, used: words.length };
}

/** @param seconds whether a time was counted in seconds: only mcp-sse-proxy calls the URL --sse-url, and it counts so */
function take(words: readonly string[], options: readonly Option[], seconds: boolean): Taken {
  const [word = "", next] = words;
  if (!/^-./.test(word)) return { words: [word], used: 1 };
  const { written, inline, value, used } = parts(word, next);
  if (REFUSED[written] !== undefined) throw new ConfigurationError(`${written} ${REFUSED[written]}`);
  if (written === "--verify-ssl") return verified(inline, next);
  if (written === "--sse-url") return { words: ["--transport=sse", value ?? ""], used };
  if (WITHOUT_EFFECT.includes(written)) return { words: [], used };
  const means = CONNECT_SPELLINGS.find((spelling) => spelling.written === written)?.means ?? written;
  if (means === "--header") return header(words, inline);
  const [, name = "", fixed] = /^([^=]*)(?:=(.*))?$/s.exec(means) ?? [];
  if (name === "") return { words: [], used: 1 };
  if (fixed !== undefined) return single(written, name, fixed, 1);
  const option = options.find(({ short, long }) => name === short || name === long);
  if (!option?.required || value === undefined) return { words: [means === written ? word : means], used: 1 };
  const ours = CONNECT_VALUES[name]?.[value] ?? value;
  return option.parseArg
    ? { words: [`${name}=${ours}`], used }
    : single(written, name, seconds && name === "--ping-interval" ? inMilliseconds(ours) : ours, used);
}

interface Parts {
  readonly written: string;
  readonly inline: string | undefined;
  /** Within the word, or the next one. */
  readonly value: string | undefined;
  readonly used: number;
}

function parts(word: string, next: string | undefined): Parts {
  const [, written = word, inline] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return { written, inline, value: inline ?? next, used: inline === undefined && next !== undefined ? 2 : 1 };
}

function single(written: string, option: string, value: string, used: number): Taken {
  return { words: [`${option}=${value}`], used, meant: { written, option, value } };
}

function inMilliseconds(seconds: string): string {
  return /^\d+$/.test(seconds) ? String(Number(seconds) * 1000) : seconds;
}

/** `--headers NAME VALUE` of mcp-proxy; everybody else writes one word, in which a sign follows the name. */
function header(words: readonly string[], inline: string | undefined): Taken {
  const [written, name = "", value] = words;
  if (inline !== undefined) return { words: [`--header=${inline}`], used: 1 };
  const isPair = written !== "--header" && !/[:=]/.test(name) && value !== undefined;
  if (isPair) return { words: [`--header=${name}: ${value}`], used: 3 };
  return words.length === 1 ? { words: ["--header"], used: 1 } : { words: [`--header=${name}`], used: 2 };
}

const TRUE = /^(?:1|true|yes|on)$/i;
const FALSE = /^(?:0|false|no|off)$/i;

/** `--verify-ssl [VALUE]` of mcp-proxy: whether to check certificates, or the authorities to check them by. */
function verified(inline: string | undefined, next: string | undefined): Taken {
  const value = inline ?? (next !== undefined && !/^(?:-|https?:)/.test(next) ? next : undefined);
  const used = inline === undefined && value !== undefined ? 2 : 1;
  if (value !== undefined && FALSE.test(value)) throw new ConfigurationError(UNCHECKED);
  return value === undefined || TRUE.test(value)
    ? { words: [], used }
    : single("--verify-ssl", "--ssl-ca", value, used);
}

/** mcp-remote takes a port behind the URL, to which a browser comes back after a login. */
function withoutCallbackPort(all: readonly Taken[]): string[] {
  const words = all.flatMap(({ words: own }) => own);
  const positionals = words.filter((word) => !word.startsWith("-"));
  const [url = "", port = ""] = positionals;
  const isPort = /^https?:/i.test(url) && /^\d{1,5}$/.test(port);
  const at = isPort ? words.lastIndexOf(port) : -1;
  return words.filter((_, index) => index !== at);
}
