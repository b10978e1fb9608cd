import type { Reply, Replies } from "../exchange/order.ts";
import { retryHeaders } from "../errors.ts";
import type { Host } from "../host.ts";
import { isObject } from "../jsonrpc.ts";
import { ClientGone, onAbort, onGone } from "../lifetime.ts";
import { memberText } from "../rawjson.ts";
import { respond } from "../response.ts";
import type { ResponseForm } from "../response.ts";
import type { StreamableRequest } from "./session-table.ts";
import type { Collected, StreamableClient } from "./streamable-client.ts";

type Form = Pick<ResponseForm, "batch" | "stream"> & { readonly sessionToken?: string };

/** The response that collected replies make. A client that goes before they are complete wants none of them. */
export function respondTo(
  { replies, cancel, isAnswered }: Collected,
  { sessionToken, ...form }: Form,
  { request, context }: Pick<StreamableRequest, "request" | "context">,
  host: Host,
): Promise<Response> {
  const gone = new AbortController();
  const lifetime = { signal: gone.signal, end: () => gone.abort(new ClientGone()) };
  const letGo = [request, context].map((client) => onGone(client, lifetime.end));
  letGo.push(onAbort(gone.signal, cancel));
  const complete = finishing(withStatus(replies), isAnswered, () => letGo.forEach((off) => off()));
  const { unsent } = context;
  return respond(complete, { ...host.form, ...form, sessionToken, lifetime, unsent });
}

/** What fires after the last reply is none of the session's business. */
async function* finishing(replies: Replies, isAnswered: () => boolean, finish: () => void): Replies {
  for await (const reply of replies) {
    if (reply.kind === "response" && isAnswered()) finish();
    yield reply;
  }
  finish();
}

/** The response to the handshake: a session begins with its answer, and not at all with a refusal. */
export async function respondToOpening(
  { replies, cancel, isAnswered }: Collected,
  form: Form & { readonly sessionToken: string },
  client: StreamableClient,
  source: Pick<StreamableRequest, "request" | "context">,
  host: Host,
): Promise<Response> {
  const end = (): void => {
    cancel();
    client.close();
  };
  const response = await respondTo(
    { replies: untilRefused(replies, client), cancel: end, isAnswered },
    form,
    source,
    host,
  );
  if (client.isOver()) response.headers.delete("Mcp-Session-Id");
  return response;
}

async function* untilRefused(replies: Replies, client: StreamableClient): Replies {
  for await (const reply of replies) {
    if (errorIn(reply) !== undefined) client.close();
    yield reply;
  }
}

const OVERLOADED = 503;
/** Characters of an error of our own. Others are not looked through: a result may be large. */
const MAX_OWN = 8192;

/** A session answers in text. What it had no room for was not begun, and may be sent again. */
async function* withStatus(replies: Replies): Replies {
  for await (const reply of replies) {
    const error = reply.text.length > MAX_OWN ? undefined : errorIn(reply);
    yield error !== undefined && isOverload(JSON.parse(error))
      ? ({ ...reply, status: OVERLOADED, headers: retryHeaders("overloaded") } as Reply)
      : reply;
  }
}

function errorIn({ kind, text }: Reply): string | undefined {
  return kind === "response" ? memberText(text, "error") : undefined;
}

function isOverload(error: unknown): boolean {
  const data = isObject(error) ? error["data"] : undefined;
  return isObject(data) && data["reason"] === "overloaded";
}
