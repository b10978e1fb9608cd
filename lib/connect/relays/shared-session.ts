import { rankOf } from "../../eras/notification-up.ts";
import { INITIALIZED_TEXT } from "../../exchange/initialize.ts";
import { refusalOf } from "../../exchange/conversation.ts";
import { mayBeAsked } from "../../input/questions.ts";
import { isNotification, isObject, isRequest, isResponse, messageOf } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { shortened } from "../../logger.ts";
import type { Logger } from "../../logger.ts";
import type { LegacyRemote } from "../remote.ts";
import type { SessionProcess } from "./session-process.ts";
import { createSharedSubscriptions } from "./shared-subscriptions.ts";
import type { SharedSubscriptions } from "./shared-subscriptions.ts";

/** One session with a remote, and what stands in for a process to each request that uses it. */
export interface SharedSession {
  /** The text of the answer to the handshake. */
  readonly answer: string;
  readonly processes: Set<SessionProcess>;
  /** By the id that the remote knows: requests without an answer. The newest are last. */
  readonly owners: Map<unknown, Owner>;
  readonly subscriptions: SharedSubscriptions;
  /** Another way to the remote: what goes it keeps its order, and does not wait for what goes another one. */
  lane(): Lane;
  /** The level of log messages that the remote must be told, since somebody waits for more or for less. */
  newLevel(): string | undefined;
  /** A message of the remote, for the process that it is about. */
  hear(message: Message, about: Message<RequestValue> | undefined): Promise<void>;
  /** Resolves when all is sent. */
  flush(): Promise<void>;
}

/** Sends a message. Resolves when the next one may follow; never rejects. */
export type Lane = (text: string) => Promise<void>;

interface Owner {
  readonly process: SessionProcess;
  readonly request: Message<RequestValue>;
}

export function createSharedSession(remote: LegacyRemote, logger: Logger): SharedSession {
  const processes = new Set<SessionProcess>();
  const sending = new Set<Promise<void>>();
  let level: string | undefined;
  const lane = (): Lane => {
    let last = ready;
    return (text) => {
      last = last.then(() => remote.send(messageOf(text)));
      sending.add(last);
      const sent = last;
      return sent.finally(() => sending.delete(sent));
    };
  };
  let ready = Promise.resolve();
  // Before all else: the client has no handshake that it could end.
  ready = lane()(INITIALIZED_TEXT);
  const session: SharedSession = {
    answer: remote.answer.text,
    processes,
    owners: new Map(),
    subscriptions: createSharedSubscriptions(lane()),
    lane,
    newLevel() {
      const wanted = loudest([...processes])?.level;
      if (wanted === level) return undefined;
      level = wanted ?? level;
      return wanted;
    },
    async hear(message, about) {
      if (isResponse(message)) return answer(message, session);
      if (isRequest(message)) return ask(message, about, session);
      if (isNotification(message) && !tell(message, about, session)) {
        logger.debug({ method: shortened(message.value.method) }, "A notification for nobody: dropped");
      }
    },
    flush: async () => void (await Promise.all(sending)),
  };
  return session;
}

/** The process that wants to hear most. */
function loudest(processes: readonly SessionProcess[]): SessionProcess | undefined {
  const wanting = processes.filter(({ level }) => level !== undefined);
  return wanting.toSorted((one, other) => rankOf(one.level) - rankOf(other.level))[0];
}

function answer(message: Message<ResponseValue>, { owners, subscriptions }: SharedSession): void {
  const owner = owners.get(message.value.id);
  owners.delete(message.value.id);
  if (owner) owner.process.put(message.text);
  else subscriptions.answer(message);
}

/** A question is for the client whose request it is about, and so for its process. */
async function ask(
  message: Message<RequestValue>,
  about: Message<RequestValue> | undefined,
  session: SharedSession,
): Promise<void> {
  const process = message.value.method === "ping" ? undefined : processToAsk(about, session);
  if (process && !process.isFull) process.put(message.text);
  else await session.lane()(refusalOf(message));
}

function processToAsk(
  about: Message<RequestValue> | undefined,
  { owners }: SharedSession,
): SessionProcess | undefined {
  if (about) return owners.get(about.value.id)?.process;
  const askable = [...owners.values()].filter(({ request }) => mayBeAsked(request.value.method));
  return askable.at(-1)?.process;
}

/** @returns whether somebody hears it */
function tell(
  message: Message<NotificationValue>,
  about: Message<RequestValue> | undefined,
  session: SharedSession,
): boolean {
  const heard = listenersOf(message, about, session).filter((process) => !process.isFull);
  for (const process of heard) process.put(message.text);
  return heard.length > 0;
}

function listenersOf(
  { value: { method, params } }: Message<NotificationValue>,
  about: Message<RequestValue> | undefined,
  { owners, processes, subscriptions }: SharedSession,
): SessionProcess[] {
  const owner = about && owners.get(about.value.id)?.process;
  const listening = [...processes].filter(({ isListening }) => isListening);
  if (method === "notifications/resources/updated") {
    return listening.filter((process) => subscriptions.isSubscribed(process, params?.["uri"]));
  }
  if (method.endsWith("/list_changed")) return listening;
  if (method === "notifications/progress") return listOf(ownerOfToken(params?.["progressToken"], owners));
  // Of log messages nobody says what they are about: whoever wants to hear most, hears them.
  if (method === "notifications/message") return listOf(owner ?? loudest([...processes]));
  return [];
}

function listOf(process: SessionProcess | undefined): SessionProcess[] {
  return process ? [process] : [];
}

function ownerOfToken(token: unknown, owners: SharedSession["owners"]): SessionProcess | undefined {
  if (token === undefined) return undefined;
  return [...owners.values()].find(({ request: { value } }) => {
    const meta = value.params?.["_meta"];
    return isObject(meta) && meta["progressToken"] === token;
  })?.process;
}
