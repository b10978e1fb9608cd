import type { NotificationValue } from "../jsonrpc.ts";
import type { Era } from "../revisions.ts";
import { LOG_LEVELS } from "./names.ts";

/** Which notifications of a server reach the client of its request. Pure. */

/** About something that outlives the request, or about requests of the server that never reached the client. */
const STAYS =
  /^notifications\/(?:.*\/list_changed|resources\/updated|tasks(?:\/.*)?|elicitation\/complete|cancelled)$/;

/** Who listens, and what is known about what they want to hear. */
export interface Listener {
  readonly client: Era;
  readonly server: Era;
  /** As the client's request asks for it. Source: 2026-07-28/server/utilities/logging, Per-request log level. */
  readonly logLevel: string | undefined;
}

export function crosses({ method, params }: NotificationValue, listener: Listener): boolean {
  if (STAYS.test(method)) return false;
  if (listener.client === "legacy" || listener.server === "modern") return true;
  if (method === "notifications/progress") return true;
  return method === "notifications/message" && isLoudEnough(params?.["level"], listener.logLevel);
}

function isLoudEnough(level: unknown, wanted: string | undefined): boolean {
  return wanted !== undefined && rankOf(level) >= rankOf(wanted);
}

/** The place of a log level among all, the lowest first; -1 for what is none. */
export function rankOf(level: unknown): number {
  return LOG_LEVELS.findIndex((known) => known === level);
}
