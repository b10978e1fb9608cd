import { ownId } from "../../exchange/conversation.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { idOf, messageOf } from "../../jsonrpc.ts";
import { editMember, memberText, setMember } from "../../rawjson.ts";
import { cancelledBy, keyOf } from "../messages.ts";

/**
 * What the sessions of a remote ask the client. A client that answers late must not answer a session that has asked
 * something else under the same id.
 */
export interface Questions {
  /** A question of the session. @returns it as the client gets it */
  ask(question: Message<RequestValue>): Message<RequestValue>;
  /** The client's answer. @returns it as the session gets it; undefined if nobody waits for it */
  answer(answer: Message<ResponseValue>): Message<ResponseValue> | undefined;
  /** The session cancels something. @returns that as the client gets it */
  cancel(message: Message<NotificationValue>): Message<NotificationValue>;
  /** The session is lost. @returns the ids of its questions, as the client knows them */
  withdraw(): string[];
}

interface Question {
  /** As the remote and as the client know it, in JSON. */
  readonly id: string;
  readonly clientId: string;
}

/** Questions without an answer, and ids of withdrawn ones. The oldest are forgotten. */
const MAX_KEPT = 1000;

export function createQuestions(): Questions {
  const open = new Map<string, Question>();
  const withdrawn = new Set<string>();
  return {
    ask(question) {
      const key = keyOf(question);
      const id = idOf(question);
      const clientId = withdrawn.has(key) || open.has(key) ? JSON.stringify(ownId()) : id;
      open.set(clientId === id ? key : clientId, { id, clientId });
      trim(open);
      return clientId === id ? question : messageOf(setMember(question.text, "id", clientId));
    },
    answer(answer) {
      const key = keyOf(answer);
      withdrawn.delete(key);
      const question = open.get(key);
      if (!open.delete(key) || !question) return undefined;
      const { id, clientId } = question;
      return id === clientId ? answer : messageOf(setMember(answer.text, "id", id));
    },
    cancel(message) {
      const key = cancelledBy(message);
      const mapped = [...open].find(([clientKey, { id }]) => clientKey === key || id === key);
      if (!mapped) return message;
      const [clientKey, { id, clientId }] = mapped;
      open.delete(clientKey);
      keepIn(withdrawn, clientKey);
      return id === clientId ? message : messageOf(withRequestId(message.text, clientId));
    },
    withdraw() {
      for (const key of open.keys()) keepIn(withdrawn, key);
      const ids = [...open.values()].map(({ clientId }) => clientId);
      open.clear();
      return ids;
    },
  };
}

function withRequestId(text: string, id: string): string {
  return editMember(text, "params", (params) =>
    memberText(params, "requestId") === undefined ? params : setMember(params, "requestId", id),
  );
}

function keepIn(keys: Set<string>, key: string): void {
  keys.add(key);
  trim(keys);
}

function trim(all: Set<string> | Map<string, unknown>): void {
  if (all.size <= MAX_KEPT) return;
  for (const oldest of all.keys()) return void all.delete(oldest);
}
