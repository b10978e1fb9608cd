import { isObject } from "../jsonrpc.ts";
import type { KnownEras } from "../exchange/era-memory.ts";
import type { SnapshotKey } from "./key.ts";

/** Of a server, in the folder that `mayfly build` makes for it. */
export const SNAPSHOT_FILE = "snapshot.json";

/** Of the file. A file of another format is not read. */
const FORMAT = 1;

/** What a server answers without being asked to do anything. Texts are its own, byte for byte, but for an id of 0. */
export interface Snapshot {
  readonly key: SnapshotKey;
  readonly eras: KnownEras;
  /** After the handshake of a revision, by the revision that was asked for. */
  readonly legacy: Readonly<Record<string, RecordedAnswers>>;
  /** Of a server that speaks 2026-07-28. */
  readonly modern?: RecordedAnswers | undefined;
}

export interface RecordedAnswers {
  /** To `initialize`, or to `server/discover`. */
  readonly opening?: string | undefined;
  /** By method. */
  readonly lists: Readonly<Record<string, readonly RecordedPage[]>>;
}

export interface RecordedPage {
  /** Of the request; the first page is asked for without one. */
  readonly cursor?: string | undefined;
  readonly answer: string;
}

/** Whether two records of a server say the same, whatever they were made for. */
export function sameAnswers(one: Snapshot, other: Snapshot): boolean {
  return answersText(one) === answersText(other);
}

function answersText(snapshot: Snapshot): string {
  const { key: _, ...answers } = written(snapshot);
  return JSON.stringify(answers);
}

/** The content of a snapshot's file: the same snapshot is the same text. */
export function snapshotText(snapshot: Snapshot): string {
  return `${JSON.stringify(written(snapshot), null, 2)}\n`;
}

/** As it stands in the file: revisions mostly answer the same, and each text stands there once. */
interface Written {
  readonly format: typeof FORMAT;
  readonly key: SnapshotKey;
  readonly eras: KnownEras;
  readonly texts: readonly string[];
  readonly legacy: Readonly<Record<string, WrittenAnswers>>;
  readonly modern?: WrittenAnswers | undefined;
}

interface WrittenAnswers {
  /** Which of the texts. */
  readonly opening?: number | undefined;
  readonly lists: Readonly<Record<string, readonly (readonly [cursor: string | null, text: number])[]>>;
}

function written({ key, eras, legacy, modern }: Snapshot): Written {
  const texts: string[] = [];
  const numberOf = (text: string): number => {
    const known = texts.indexOf(text);
    return known === -1 ? texts.push(text) - 1 : known;
  };
  const answers = (recorded: RecordedAnswers): WrittenAnswers => ({
    opening: recorded.opening === undefined ? undefined : numberOf(recorded.opening),
    lists: mapped(recorded.lists, (pages) =>
      pages.map(({ cursor, answer }) => [cursor ?? null, numberOf(answer)] as const),
    ),
  });
  const sides = { legacy: mapped(legacy, answers), modern: modern && answers(modern) };
  const { modern: isModern, legacy: isLegacy } = eras;
  return { format: FORMAT, key, eras: { modern: isModern, legacy: isLegacy }, texts, ...sides };
}

/** In the order of the keys: who wrote them first must not show. */
function mapped<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> {
  const entries = Object.entries(record).toSorted(([one], [two]) => (one < two ? -1 : 1));
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value)]));
}

/**
 * Reads what {@link snapshotText} wrote.
 * @throws Error for anything else, which says what is wrong with it
 */
export function readSnapshot(text: string): Snapshot {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || value["format"] !== FORMAT) throw new Error("it is of another format");
  const { key, eras, texts, legacy, modern } = value;
  if (!isKey(key) || !isEras(eras) || !isTexts(texts) || !isObject(legacy)) throw broken();
  const read = (answers: unknown): RecordedAnswers => readAnswers(answers, texts);
  const sides = { legacy: mapped(legacy, read), modern: modern === undefined ? undefined : read(modern) };
  return { key, eras, ...sides };
}

function broken(): Error {
  return new Error("it is incomplete");
}

function isKey(key: unknown): key is SnapshotKey {
  if (!isObject(key) || !isObject(key["files"]) || !Array.isArray(key["environment"])) return false;
  return typeof key["configuration"] === "string" && key["package"] !== undefined;
}

function isEras(eras: unknown): eras is KnownEras {
  if (!isObject(eras)) return false;
  return [eras["modern"], eras["legacy"]].every((fact) => fact === undefined || typeof fact === "boolean");
}

/** A text that is no message would be no answer, and its client would wait for one. */
function isTexts(texts: unknown): texts is string[] {
  return (
    Array.isArray(texts) && texts.every((text) => typeof text === "string" && isObject(JSON.parse(text)))
  );
}

function readAnswers(answers: unknown, texts: readonly string[]): RecordedAnswers {
  if (!isObject(answers) || !isObject(answers["lists"])) throw broken();
  const { opening, lists } = answers;
  const textAt = (at: unknown): string => {
    const text = typeof at === "number" ? texts[at] : undefined;
    if (text === undefined) throw broken();
    return text;
  };
  return {
    opening: opening === undefined ? undefined : textAt(opening),
    lists: mapped(lists, (pages) => readPages(pages, textAt)),
  };
}

function readPages(pages: unknown, textAt: (at: unknown) => string): RecordedPage[] {
  if (!Array.isArray(pages)) throw broken();
  return pages.map((page: unknown) => {
    const [cursor, text] = Array.isArray(page) ? (page as unknown[]) : [];
    if (cursor !== null && typeof cursor !== "string") throw broken();
    return { cursor: cursor ?? undefined, answer: textAt(text) };
  });
}
