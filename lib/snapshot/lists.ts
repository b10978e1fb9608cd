import type { Answer } from "../exchange/conversation.ts";
import type { Handshake } from "../exchange/initialize.ts";
import type { Opened } from "../exchange/opening.ts";
import { errorCode } from "../eras/error-up.ts";
import { modernRequestText, requestText } from "../eras/request-down.ts";
import { resultTypeOf } from "../eras/result-up.ts";
import { METHOD_NOT_FOUND } from "../errors.ts";
import { isObject } from "../jsonrpc.ts";
import { settlesWithin } from "../promises.ts";
import { setMember } from "../rawjson.ts";
import type { Server } from "../servers.ts";
import type { RecordedAnswers, RecordedPage } from "./format.ts";

/** A process that is ready for requests, and what it said of itself. */
export interface Ready {
  readonly opened: Opened;
  readonly opening: string | undefined;
  /** The parsed InitializeResult or DiscoverResult. */
  readonly described: unknown;
}

/** What a snapshot holds beside the opening, and the capability that declares it. */
const LISTS = [
  ["tools/list", "tools"],
  ["prompts/list", "prompts"],
  ["resources/list", "resources"],
  ["resources/templates/list", "resources"],
] as const;

/** Milliseconds for a list that a server does not declare. It need not answer at all. */
const UNDECLARED_MS = 2000;

/** What it declares comes first: a server may end, or fall silent, when it is asked for anything else. */
export async function listsOf(
  { opened, described }: Ready,
  handshake: Handshake,
  server: Server,
): Promise<RecordedAnswers["lists"]> {
  const capabilities = isObject(described) ? described["capabilities"] : undefined;
  const isDeclared = (name: string): boolean => isObject(capabilities) && capabilities[name] !== undefined;
  const lists: Record<string, readonly RecordedPage[]> = {};
  for (const [method, name] of LISTS) {
    if (isDeclared(name)) lists[method] = await pagesOf(opened, method, handshake);
  }
  for (const [method, name] of LISTS) {
    if (isDeclared(name)) continue;
    // One that ends, or breaks off, has no such list to repeat; what it declares it has answered.
    const pages = pagesOf(opened, method, handshake).catch(() => []);
    if (!(await settlesWithin(pages, Math.min(UNDECLARED_MS, server.requestTimeoutMs)))) break;
    lists[method] = await pages;
  }
  return Object.fromEntries(Object.entries(lists).filter(([, pages]) => pages.length > 0));
}

/** Pages of a list; a client that wants more of them asks a process. */
const MAX_PAGES = 100;
/** Characters of a list, of all its pages. */
const MAX_CHARACTERS = 4 * 1024 ** 2;

/** The pages of a list, each under the cursor that led to it. What is no final answer is none to repeat. */
async function pagesOf(opened: Opened, method: string, handshake: Handshake): Promise<RecordedPage[]> {
  const pages = new Map<string | undefined, RecordedPage>();
  let [cursor, characters]: [string | undefined, number] = [undefined, 0];
  while (pages.size < MAX_PAGES && !pages.has(cursor)) {
    const answer = await ask(opened, method, cursor, handshake);
    characters += answer.text.length;
    if (!isFinal(answer) || characters > MAX_CHARACTERS) break;
    pages.set(cursor, { cursor, answer: unnamed(answer.text) });
    const next = isObject(answer.result) ? answer.result["nextCursor"] : undefined;
    if (typeof next !== "string") break;
    cursor = next;
  }
  return [...pages.values()];
}

/** A result, or that there is no such method. Any other error may be over by the next request. */
export function isFinal({ result, error }: Answer): boolean {
  return error === undefined ? resultTypeOf(result) === "complete" : errorCode(error) === METHOD_NOT_FOUND;
}

export async function ask(
  { conversation, era }: Opened,
  method: string,
  cursor: string | undefined,
  handshake: Handshake,
): Promise<Answer> {
  const params = JSON.stringify({ cursor });
  return conversation.ask(method, (id) =>
    era === "modern" ? modernRequestText(id, method, params, handshake) : requestText(id, method, params),
  );
}

/** Under an id that is no one's: the client's own takes its place. */
export function unnamed(answer: string): string {
  return setMember(answer, "id", "0");
}
