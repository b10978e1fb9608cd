import { rankOf } from "../eras/notification-up.ts";
import { paramsText } from "../jsonrpc.ts";
import { memberText } from "../rawjson.ts";
import type { Member, SessionState } from "./state.ts";

/** Log levels of clients that share a server, which keeps one. Source: 2025-11-25/server/utilities/logging. */

/** The level in a request; undefined for one that is none. */
export function levelOf(text: string): string | undefined {
  const level: unknown = JSON.parse(memberText(paramsText(text), "level") ?? "null");
  return typeof level === "string" && rankOf(level) >= 0 ? level : undefined;
}

/** The most talkative level that a client wants; undefined if nobody has asked for any. */
export function effectiveLevel({ members }: SessionState): string | undefined {
  const levels = [...members].flatMap(({ logLevel }) => logLevel ?? []);
  return levels.toSorted((a, b) => rankOf(a) - rankOf(b))[0];
}

/** Whether a client that has asked for a level wants to hear a message of that one. */
export function wantsLevel({ logLevel }: Member, level: unknown): boolean {
  return logLevel === undefined || rankOf(level) >= rankOf(logLevel);
}
