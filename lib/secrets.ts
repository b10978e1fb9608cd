/** Shorter values ("1", "true", "info") are no secrets, and masking them would make a message unreadable. */
const MIN_SECRET_LENGTH = 6;

/** JSON inside of JSON inside of JSON, as tools answer it. */
const MAX_LEVELS = 3;

/** Characters of text that a character of a secret may take up: each level may write each one as `\u0041`. */
const MAX_ESCAPED_LENGTH = 6 ** MAX_LEVELS;

/** The secrets of a text, as pieces of it: `text.slice(start, end)`. */
interface Piece {
  readonly start: number;
  readonly end: number;
}

/**
 * The text with every secret replaced by `***`, also where it stands escaped in a JSON string. For what servers print:
 * they may quote their environment.
 */
export function mask(text: string, secrets: readonly string[]): string {
  return maskedStart(text, secrets, text.length);
}

/**
 * The same for the last part of a longer text: what it begins with, or all of it, may be the rest of a secret that was
 * cut in half.
 */
export function maskTail(text: string, secrets: readonly string[]): string {
  const forms = secrets.flatMap(written);
  if (text.length >= MIN_SECRET_LENGTH && forms.some((form) => form.includes(text))) return "***";
  const rest = Math.max(0, ...forms.map((form) => overlap(form, text)));
  return (rest === 0 ? "" : "***") + mask(text.slice(rest), secrets);
}

/** A secret as it is, in a JSON string, and in one inside of another. */
function written(secret: string): string[] {
  const once = JSON.stringify(secret).slice(1, -1);
  return [...new Set([secret, once, JSON.stringify(once).slice(1, -1)])];
}

/** How many characters, if they are enough to tell, end the secret and begin the text. */
function overlap(secret: string, text: string): number {
  let length = Math.min(secret.length, text.length);
  while (length >= MIN_SECRET_LENGTH && !secret.endsWith(text.slice(0, length))) length -= 1;
  return length < MIN_SECRET_LENGTH ? 0 : length;
}

/**
 * The first characters of a masked text. A secret that the limit would cut in half is masked whole.
 * @param limit characters of the text, as it was before
 */
export function maskedStart(text: string, secrets: readonly string[], limit: number): string {
  const known = secrets.filter((secret) => secret.length >= MIN_SECRET_LENGTH);
  const longest = Math.max(0, ...known.map((secret) => secret.length));
  const seen = text.slice(0, limit + longest * MAX_ESCAPED_LENGTH);
  let masked = "";
  let at = 0;
  for (const { start, end } of joined(piecesOf(seen, known))) {
    if (start >= limit) break;
    masked += `${text.slice(at, start)}***`;
    at = end;
  }
  return masked + text.slice(at, Math.max(at, limit));
}

/** Where the secrets stand in the text as it is, and in what it says when its escapes are read once, twice and so on. */
function piecesOf(text: string, secrets: readonly string[]): Piece[] {
  const found: Piece[] = [];
  let view: View | undefined = { text, starts: undefined };
  for (let level = 0; view && level <= MAX_LEVELS; level += 1) {
    for (const secret of secrets) addOccurrences(view, secret, found);
    view = unescaped(view);
  }
  return found;
}

/** A text, and where each of its characters begins in the one that it was read from; undefined: it is that one. */
interface View {
  readonly text: string;
  readonly starts: readonly number[] | undefined;
}

function addOccurrences({ text, starts }: View, secret: string, found: Piece[]): void {
  const startOf = (at: number): number => starts?.[at] ?? at;
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length)) {
    found.push({ start: startOf(at), end: startOf(at + secret.length) });
  }
}

const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/g;
const SHORT: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** What the text says when its escapes are read, as if it were all one string; undefined if there are none. */
function unescaped({ text, starts }: View): View | undefined {
  const pieces: string[] = [];
  const positions: number[] = [];
  let at = 0;
  const keepUntil = (end: number): void => {
    pieces.push(text.slice(at, end));
    for (; at < end; at += 1) positions.push(starts?.[at] ?? at);
  };
  for (const { 0: escape, 1: unit, 2: short = "", index } of text.matchAll(ESCAPE)) {
    keepUntil(index);
    pieces.push(unit === undefined ? (SHORT[short] ?? short) : String.fromCharCode(parseInt(unit, 16)));
    positions.push(starts?.[index] ?? index);
    at = index + escape.length;
  }
  if (at === 0 && positions.length === 0) return undefined;
  keepUntil(text.length);
  positions.push(starts?.[text.length] ?? text.length);
  return { text: pieces.join(""), starts: positions };
}

/** In order, with those that overlap as one: of two secrets, one may be part of the other. */
function joined(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = [];
  for (const piece of pieces.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = all.at(-1);
    if (!last || piece.start >= last.end) all.push(piece);
    else all[all.length - 1] = { start: last.start, end: Math.max(last.end, piece.end) };
  }
  return all;
}
