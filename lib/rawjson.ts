/**
 * Edits of JSON text that leave every other byte as it was: numbers above 2^53, unknown members and the
 * order of keys survive, which `JSON.parse` and `JSON.stringify` cannot promise.
 * All functions take text that `JSON.parse` has accepted, and are not meant for anything else.
 */

/** A piece of text: `text.slice(start, end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A member of an object: its decoded key, where it begins, and where its value stands. */
export interface Member extends Span {
  readonly key: string;
  readonly keyStart: number;
}

/**
 * The members of the object that the text holds, in order, duplicates included.
 * @param limit of the members that are looked for
 */
export function members(text: string, limit = Number.POSITIVE_INFINITY): Member[] {
  const found: Member[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text[at] === '"' && found.length < limit) {
    const keyEnd = endOfString(text, at);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    found.push({ key: decode(text.slice(at, keyEnd)), keyStart: at, start, end });
    at = skipSeparator(text, end);
  }
  return found;
}

/** The elements of the array that the text holds, each as its own text. */
export function elements(text: string): string[] {
  return elementSpans(text).map(({ start, end }) => text.slice(start, end));
}

/** Where the elements of the array stand that the text holds. */
export function elementSpans(text: string): Span[] {
  const found: Span[] = [];
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text[at] !== "]") {
    const end = endOfValue(text, at);
    found.push({ start: at, end });
    at = skipSeparator(text, end);
  }
  return found;
}

/**
 * The array with each element passed through `edit`. One that `edit` returns nothing for is left out, with what
 * stands between it and the next one.
 */
export function editElements(text: string, edit: (element: string) => string | undefined): string {
  const spans = elementSpans(text);
  const edited = spans.map(({ start, end }) => edit(text.slice(start, end)));
  const [first] = spans;
  if (!first) return text;
  const lastKept = edited.findLastIndex((element) => element !== undefined);
  const pieces = edited.map((element, index) => {
    if (element === undefined) return "";
    const end = spans[index]?.end;
    return element + text.slice(end, index === lastKept ? end : spans[index + 1]?.start);
  });
  return text.slice(0, first.start) + pieces.join("") + text.slice(spans.at(-1)?.end);
}

/** The text of a member's value. Of duplicates the last one counts, as in `JSON.parse`. */
export function memberText(text: string, key: string): string | undefined {
  const member = members(text).findLast((candidate) => candidate.key === key);
  return member && text.slice(member.start, member.end);
}

/** The object with one member replaced, or added at its end. */
export function setMember(text: string, key: string, value: string): string {
  const all = members(text);
  const member = all.findLast((candidate) => candidate.key === key);
  if (member) return text.slice(0, member.start) + value + text.slice(member.end);
  const close = text.lastIndexOf("}");
  const comma = all.length > 0 ? "," : "";
  return `${text.slice(0, close)}${comma}${JSON.stringify(key)}:${value}${text.slice(close)}`;
}

/** The object without a member, however often it stands there. */
export function deleteMember(text: string, key: string): string {
  const all = members(text);
  const [first] = all;
  const lastKept = all.findLastIndex((member) => member.key !== key);
  if (!first || all.every((member) => member.key !== key)) return text;
  // What stands between two members goes with the one before it, and behind the last one nothing does.
  const pieces = all.map((member, index) => {
    if (member.key === key) return "";
    const end = index === lastKept ? member.end : all[index + 1]?.keyStart;
    return text.slice(member.keyStart, end);
  });
  return text.slice(0, first.keyStart) + pieces.join("") + text.slice(all.at(-1)?.end);
}

/** The object with a member's value passed through `edit`; without the member, the object as it is. */
export function editMember(text: string, key: string, edit: (value: string) => string): string {
  const value = memberText(text, key);
  if (value === undefined) return text;
  const edited = edit(value);
  return edited === value ? text : setMember(text, key, edited);
}

/** Whether the text holds an object. */
export function isObjectText(text: string | undefined): text is string {
  return text !== undefined && text[skipSpace(text, 0)] === "{";
}

/** Whether the text holds an array. */
export function isArrayText(text: string | undefined): text is string {
  return text !== undefined && text[skipSpace(text, 0)] === "[";
}

/** Whether objects and arrays stand in one another more than that many levels deep. */
export function isDeeperThan(text: string, levels: number): boolean {
  let depth = 0;
  scan(text, (code) => {
    depth += stepOf(code);
    return depth > levels;
  });
  return depth > levels;
}

/** Whether there are more objects and arrays in the text than that. One pass over any text, JSON or not. */
export function holdsMoreThan(text: string, nested: number): boolean {
  // Each takes two characters.
  if (text.length <= 2 * nested) return false;
  let found = 0;
  scan(text, (code) => {
    if (stepOf(code) > 0) found += 1;
    return found > nested;
  });
  return found > nested;
}

/**
 * Whether the array or object that the text holds has more elements or members than that. One pass over any text, JSON
 * or not.
 * @param elements at least 1
 */
export function isLongerThan(text: string, elements: number): boolean {
  // Most messages are short: each element takes a comma at least.
  if (text.length <= elements) return false;
  let [depth, commas] = [0, 0];
  scan(text, (code) => {
    depth += stepOf(code);
    if (code === COMMA && depth === 1) commas += 1;
    return commas >= elements;
  });
  return commas >= elements;
}

/** Shows brackets, braces and commas outside of strings, until that is enough or a string does not end. */
function scan(text: string, isEnough: (code: number) => boolean): void {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (end <= at) return;
      at = end - 1;
    } else if (STEPS[code] !== undefined && isEnough(code)) return;
  }
}

/** How much deeper it is behind a character. */
function stepOf(code: number): number {
  return STEPS[code] ?? 0;
}

/** The text without the space between its tokens. Numbers and strings stay as they are written. */
export function compact(text: string): string {
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) === QUOTE) at = endOfString(text, at) - 1;
    else if (" \t\r\n".includes(text.charAt(at))) {
      pieces.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return pieces.join("") + text.slice(from);
}

const [QUOTE, COMMA] = [0x22, 0x2c];
/** What brackets, braces and commas add to the depth, by their codes. */
const STEPS: readonly (number | undefined)[] = Object.assign(Array<undefined>(0x80).fill(undefined), {
  [COMMA]: 0,
  0x5b: 1,
  0x5d: -1,
  0x7b: 1,
  0x7d: -1,
});
const SCALAR = /[^\s,\]}]*/y;
const SPACE = /[ \t\r\n]*/y;

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  return first === "{" || first === "[" ? endOfNested(text, start) : match(SCALAR, text, start);
}

/** By character code, and strings by leaps: a caller may send four megabytes of brackets. */
function endOfNested(text: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else depth += stepOf(code);
    at += 1;
  } while (depth > 0 && at < text.length);
  return at;
}

function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}

function skipSeparator(text: string, end: number): number {
  const at = skipSpace(text, end);
  return text[at] === "," ? skipSpace(text, at + 1) : at;
}

function skipSpace(text: string, at: number): number {
  return match(SPACE, text, at);
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  pattern.exec(text);
  return pattern.lastIndex;
}

function decode(key: string): string {
  return JSON.parse(key) as string;
}
