import { isObject } from "../jsonrpc.ts";
import type { Link } from "./link.ts";
import type { SessionState } from "./state.ts";

const LISTS = ["tools", "prompts", "resources"] as const;

/**
 * Tells the clients of a server that it has other lists than before, as the server itself would, if it has said that it
 * can. Source: 2025-11-25/server/tools, List Changed Notification.
 * @param lists that may have changed
 */
export function tellChanges(
  { initialized }: Link,
  { members }: SessionState,
  lists: readonly (typeof LISTS)[number][] = LISTS,
): void {
  const { capabilities } = Object(JSON.parse(initialized)) as { readonly capabilities?: unknown };
  for (const list of lists) {
    const declared = isObject(capabilities) ? capabilities[list] : undefined;
    if (!isObject(declared) || declared["listChanged"] !== true) continue;
    const text = JSON.stringify({ jsonrpc: "2.0", method: `notifications/${list}/list_changed` });
    for (const { client } of members) client.deliver(text, undefined);
  }
}
