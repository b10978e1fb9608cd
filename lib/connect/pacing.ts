import { setTimeout as delay } from "node:timers/promises";

import type { StdioClient } from "./relay.ts";

/** Milliseconds in which a client that is not busy has read what was written before. */
const GAP_MS = 20;
/** Characters of a message that is looked at: progress is short. */
const MAX_PROGRESS = 16 * 1024;

/**
 * Leaves a gap between progress and what is not progress. The MCP SDKs hand on a notification a turn after they have
 * read it, and an answer at once, which ends the progress of its request: of what they read in one piece, the progress
 * would be lost. Over HTTP they read each message by itself.
 */
export function paced(write: StdioClient["write"]): StdioClient["write"] {
  let lastAt = Number.NEGATIVE_INFINITY;
  return async (text) => {
    const isProgress = text.length <= MAX_PROGRESS && text.includes('"notifications/progress"');
    if (isProgress) lastAt = performance.now();
    else if (performance.now() - lastAt < GAP_MS) await delay(GAP_MS);
    return write(text);
  };
}
