import { within } from "../support/deadline.ts";
import { readAll } from "../support/event-stream.ts";
import type { Message } from "../support/live-stream.ts";
import { INSTANCE } from "./instance-header.ts";

const WAIT_MS = 30_000;

export interface Answered {
  readonly status: number;
  /** Where it came from, as host:port. */
  readonly instance: string;
  readonly sessionId: string;
  /** The last message. */
  readonly message: Message;
}

/** One request, whose answer is read to its end. */
export async function ask(url: string, init: RequestInit): Promise<Answered> {
  const response = await within(fetch(url, init), WAIT_MS, `an answer of ${url}`);
  const { status, headers } = response;
  const text = headers.get("content-type")?.startsWith("text/event-stream")
    ? ((await readAll(response)).at(-1)?.data ?? "")
    : await response.text();
  return {
    status,
    instance: instanceOf(response),
    sessionId: headers.get("mcp-session-id") ?? "",
    message: messageIn(text, status),
  };
}

export function instanceOf({ headers }: Response): string {
  return headers.get(INSTANCE) ?? "";
}

function messageIn(text: string, status: number): Message {
  try {
    return JSON.parse(text) as Message;
  } catch (cause) {
    throw new Error(`${status}, and no message: ${text}`, { cause });
  }
}
