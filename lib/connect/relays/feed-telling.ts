import { LISTS } from "../../exchange/listening.ts";
import type { Filter } from "../../exchange/listening.ts";
import type { Message, NotificationValue } from "../../jsonrpc.ts";
import { isPart } from "../../sessions/subscriptions.ts";
import type { Feed, List } from "./feed-state.ts";
import type { Source } from "./told-once.ts";
import { untilAborted } from "./until-aborted.ts";

/** What a client is told of changes. */

/** Of what it wants to hear, and has not heard. */
export async function tell(message: Message<NotificationValue>, source: Source, feed: Feed): Promise<void> {
  const { method, params } = message.value;
  const uri = params?.["uri"];
  if (!isWanted(method, uri, feed) || !source.isNews(`${method} ${String(uri)}`)) return;
  await write(message.text, feed);
}

function write(text: string, { client, closed }: Feed): Promise<void> {
  return untilAborted(client.write(text), closed.signal);
}

function isWanted(method: string, uri: unknown, { lists, resources }: Feed): boolean {
  if (method !== UPDATED) return lists.some((list) => method === changedMethod(list));
  if (typeof uri !== "string") return false;
  return resources.has(uri) || [...resources.keys()].some((whole) => isPart(uri, whole));
}

const UPDATED = "notifications/resources/updated";

function changedMethod(list: List): string {
  return `notifications/${LISTS[list]}/list_changed`;
}

/** The client looks at everything again, as it would have if it had been told in time. */
export async function tellMissed(agreed: Filter, feed: Feed): Promise<void> {
  const { lists, isStarted } = feed;
  for (const list of isStarted ? lists : []) {
    const text = JSON.stringify({ jsonrpc: "2.0", method: changedMethod(list) });
    if (agreed[list] === true) await write(text, feed);
  }
  for (const uri of agreed.resourceSubscriptions ?? []) {
    await write(JSON.stringify({ jsonrpc: "2.0", method: UPDATED, params: { uri } }), feed);
  }
}
