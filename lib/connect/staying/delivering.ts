import { toMayflyError } from "../../errors.ts";
import { messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { keyOf } from "../messages.ts";
import type { RemoteSession } from "../remote.ts";
import { reasonOf, tellDown } from "./outage-log.ts";
import { forget } from "./stay.ts";
import type { Stay } from "./stay.ts";

/** Sends a request of our own, whose answer is for nobody. */
export async function askOwn(text: string, session: RemoteSession, all: Stay): Promise<void> {
  const request = messageOf<RequestValue>(text);
  all.own.set(keyOf(request), request);
  await deliver(request, session, all);
}

/** Sends a message. Never rejects. */
export async function deliver(message: Message, session: RemoteSession, all: Stay): Promise<void> {
  try {
    await session.send(message);
  } catch (error) {
    if (all.life.signal.aborted) return;
    const failure = toMayflyError(error);
    const { code, message: text } = failure;
    const method = "method" in message.value ? message.value.method : "a response";
    all.logger.debug({ method, error: text }, "The remote server did not take a message");
    if (code === "REMOTE_UNREACHABLE") tellDown(reasonOf(failure), all);
    if (code !== "REMOTE_SESSION_LOST") return;
    if (session === all.generation.session) forget(all.generation, all);
    // The next session is told by itself what has begun; a response is for this one only.
    const isForNext = message !== all.initialized && "method" in message.value;
    if (!isForNext || all.repeated.has(message)) return;
    all.repeated.add(message);
    all.waiting.add(message);
  }
}
