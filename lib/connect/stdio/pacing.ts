import { setTimeout as delay } from "node:timers/promises";

import { paramsText } from "../../jsonrpc.ts";
import { memberText } from "../../rawjson.ts";
import type { StdioClient } from "../relay.ts";

/** Milliseconds in which a client that is not busy has read what was written before. */
const GAP_MS = 20;
/** Characters of a message that is looked at: progress is short. */
const MAX_PROGRESS = 16 * 1024;
/** Tokens of progress that are remembered; the oldest give way. */
const MAX_TOKENS = 1000;

/**
 * Leaves a gap between the progress of a request and its answer; nothing else waits. The MCP SDKs hand on a
 * notification a turn after they have read it, and an answer at once, which ends the progress of its request: of what
 * they read in one piece, the progress would be lost. Over HTTP they read each message by itself. They take the id of
 * the request as its token.
 */
export function paced(write: StdioClient["write"]): StdioClient["write"] {
  const told = new Map<string, number>();
  return async (text) => {
    const token = tokenOf(text);
    if (token !== undefined) note(token, told);
    else if (told.size > 0) await gapBefore(text, told);
    return write(text);
  };
}

/** @returns the raw token, if the message is progress */
function tokenOf(text: string): string | undefined {
  const isProgress = text.length <= MAX_PROGRESS && text.includes('"notifications/progress"');
  return isProgress && memberText(text, "method") !== undefined
    ? memberText(paramsText(text), "progressToken")
    : undefined;
}

function note(token: string, told: Map<string, number>): void {
  const [oldest] = told.keys();
  if (told.size >= MAX_TOKENS && oldest !== undefined) told.delete(oldest);
  told.delete(token);
  told.set(token, performance.now());
}

async function gapBefore(text: string, told: Map<string, number>): Promise<void> {
  const id = memberText(text, "id");
  const toldAt = told.get(id ?? "");
  if (id === undefined || toldAt === undefined) return;
  told.delete(id);
  const leftMs = toldAt + GAP_MS - performance.now();
  if (leftMs > 0) await delay(leftMs);
}
