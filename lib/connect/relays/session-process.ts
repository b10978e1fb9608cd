import type { Child } from "../../child.ts";
import { requestText } from "../../eras/request-down.ts";
import { ownId } from "../../exchange/conversation.ts";
import { CLIENT_GONE, cancelledText } from "../../exchange/endings.ts";
import { idOf, isNotification, isRequest, messageOf } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue } from "../../jsonrpc.ts";
import { createMailbox } from "../../mailbox.ts";
import type { OwnProcess } from "../../processes.ts";
import { deferred, once } from "../../promises.ts";
import { setMember } from "../../rawjson.ts";
import type { SharedSession } from "./shared-session.ts";

/**
 * What stands in the place of a process where the server is a session with a remote, which others use too: what is said
 * to it goes to the remote, and its lines are what the remote says about the requests that were made from here.
 */
export interface SessionProcess extends OwnProcess {
  /** Whether it is there to hear of changes, and not for one request. */
  readonly isListening: boolean;
  /** The log level that its request asks for. */
  readonly level: string | undefined;
  /** Whether more waits to be read than may; what must not be lost is put there all the same. */
  readonly isFull: boolean;
  put(text: string): void;
}

/** Lines that may wait: while the client is asked, nobody reads. */
const MAX_WAITING = 1000;

export function openSessionProcess(session: SharedSession, isListening: boolean): SessionProcess {
  const mailbox = createMailbox<string>();
  const send = session.lane();
  const { promise: gone, resolve } = deferred();
  let level: string | undefined;
  const end = once(() => {
    for (const [id, { process, request }] of session.owners) {
      if (process !== self) continue;
      session.owners.delete(id);
      void send(cancelledText(idOf(request), CLIENT_GONE));
    }
    session.subscriptions.leave(self);
    session.processes.delete(self);
    mailbox.close();
    resolve();
  });
  const child: Child = {
    pid: undefined,
    exited: gone.then(() => ({ code: 0, signal: null })),
    lines: (signal) => mailbox.items(signal),
    async send(line) {
      const message = messageOf(line);
      if (isRequest(message)) await request(message);
      else if (isNotification(message)) await note(message);
      else await send(line);
    },
    stderrTail: () => "",
    end: async () => end(),
    kill: end,
  };
  const request = async (message: Message<RequestValue>): Promise<void> => {
    const { method, params } = message.value;
    // The session has been opened already, and its answer is that to anybody.
    if (method === "initialize") return mailbox.put(setMember(session.answer, "id", idOf(message)));
    if (method === "resources/subscribe") return session.subscriptions.join(message, self);
    if (method === "logging/setLevel") {
      level = String(params?.["level"]);
      const told = session.newLevel();
      return told === undefined ? undefined : send(levelText(told));
    }
    session.owners.set(message.value.id, { process: self, request: message });
    return send(message.text);
  };
  const note = async ({ text, value }: Message<NotificationValue>): Promise<void> => {
    if (value.method === "notifications/initialized") return;
    session.owners.delete(value.params?.["requestId"]);
    await send(text);
  };
  const self: SessionProcess = {
    child,
    end,
    gone,
    isListening,
    get level() {
      return level;
    },
    get isFull() {
      return mailbox.size >= MAX_WAITING;
    },
    put: (text) => mailbox.put(text),
  };
  session.processes.add(self);
  return self;
}

function levelText(level: string): string {
  return requestText(ownId(), "logging/setLevel", JSON.stringify({ level }));
}
