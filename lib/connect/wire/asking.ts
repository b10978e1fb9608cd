import type { Readable } from "node:stream";

import type { Agent, Dispatcher } from "undici";

import { onAbort } from "../../lifetime.ts";
import { deferred } from "../../promises.ts";
import type { HttpMethod } from "./http.ts";
import { ConnectFailed } from "./network-errors.ts";

export interface Sent {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  readonly written?: (() => void) | undefined;
}

/** Sends one request. @throws ConnectFailed for what cannot be sent, and what undici throws */
export async function ask(
  agent: Agent,
  { origin, pathname, search }: URL,
  { method, headers: given, body: text, signal, written }: Sent,
  path = pathname + search,
): Promise<Dispatcher.ResponseData> {
  // undici takes whatever can be iterated, which its types do not say.
  const body = written && text !== undefined ? (telltale(text, written) as unknown as Readable) : text;
  const headers = body === text ? given : { ...given, "content-length": lengthOf(text) };
  try {
    const request = { origin, path, method, headers, signal, ...(body !== undefined && { body }) };
    return await unlessAborted(agent.request(request), signal);
  } catch (error) {
    if (!isUnsendable(error)) throw error;
    throw new ConnectFailed(error, "what was to be sent is no HTTP request");
  }
}

/** undici heeds the signal of a request only when there is a connection for it, and none may come for ten seconds. */
async function unlessAborted<Value>(asked: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = deferred();
  const off = onAbort(signal, () => aborted.resolve());
  try {
    await Promise.race([asked, aborted.promise]);
    signal.throwIfAborted();
    return await asked;
  } finally {
    off();
  }
}

/** undici looks at a request before it looks for a connection. */
function isUnsendable(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "UND_ERR_INVALID_ARG";
}

/** The next piece is asked for when the socket has taken the one before. */
async function* telltale(text: string, written: () => void): AsyncGenerator<Buffer, void, void> {
  yield Buffer.from(text);
  written();
}

function lengthOf(text = ""): string {
  return String(Buffer.byteLength(text));
}
