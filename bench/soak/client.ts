import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

import { within } from "../../test/support/deadline.ts";
import type { Message } from "../../test/support/live-stream.ts";

/** Where an adapter listens, and the key that opens its door. */
export interface Door {
  readonly url: string;
  readonly key: string;
  /** Keeps connections for the next request, as clients do. */
  readonly agent: Agent;
}

export interface Outgoing {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Of a JSON body or an event stream. */
  readonly messages: readonly Message[];
}

/** A request that is on its way, to be read to its end, or to be left. */
export interface Sent {
  readonly request: ClientRequest;
  /** Rejects when the connection breaks before the head. */
  readonly head: Promise<IncomingMessage>;
  leave(): void;
}

/** The adapter had no room, and said so. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Milliseconds for an answer, of a machine that has much else to do. */
const WAIT_MS = 120_000;

export function openDoor(url: string, key: string): Door {
  return { url, key, agent: new Agent({ keepAlive: true }) };
}

/** @param alone on a connection that is used for nothing else, for what is broken off or refused before it is read */
export function send(door: Door, path: string, outgoing: Outgoing, alone = true): Sent {
  const { method, headers = {}, body } = outgoing;
  const known = { authorization: `Bearer ${door.key}`, ...headers };
  const sent = request(`${door.url}${path}`, { method, headers: known, agent: alone ? false : door.agent });
  const head = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve);
    sent.on("error", reject);
  });
  // Who leaves does not wait for the head.
  head.catch(() => undefined);
  if (body !== undefined) sent.end(body);
  else if (method !== "POST") sent.end();
  return { request: sent, head, leave: () => void sent.destroy() };
}

/** The whole answer. @throws Refused if the adapter has no room */
export async function ask(door: Door, path: string, outgoing: Outgoing, alone = false): Promise<Answer> {
  const sent = send(door, path, outgoing, alone);
  try {
    return await within(answerTo(sent), WAIT_MS, `an answer to ${outgoing.method} ${path}`);
  } catch (error) {
    sent.leave();
    throw error;
  }
}

async function answerTo(sent: Sent): Promise<Answer> {
  const incoming = await sent.head;
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return admitted(incoming, Buffer.concat(chunks).toString());
}

/** The head of an answer that goes on. @throws Refused if the adapter has no room */
export async function open(sent: Sent, label: string): Promise<IncomingMessage> {
  const incoming = await within(sent.head, WAIT_MS, `the head of ${label}`);
  if (incoming.statusCode !== 503) return incoming;
  admitted(incoming, Buffer.concat(await incoming.toArray()).toString());
  return incoming;
}

function admitted({ statusCode = 0, headers }: IncomingMessage, text: string): Answer {
  const messages = messagesIn(headers["content-type"] ?? "", text);
  const answer = { status: statusCode, headers, text, messages };
  if (!messages.some(isOverload)) return answer;
  if (statusCode === 503) assert.ok(headers["retry-after"], "503 without Retry-After");
  throw new Refused(text);
}

function isOverload({ error }: Message): boolean {
  return error?.data?.["reason"] === "overloaded";
}

function messagesIn(type: string, text: string): Message[] {
  if (type.startsWith("text/event-stream")) return text.split("\n\n").flatMap((frame) => messageIn(frame));
  if (!type.startsWith("application/json") || text === "") return [];
  const value = JSON.parse(text) as Message | Message[];
  return Array.isArray(value) ? value : [value];
}

function messageIn(frame: string): Message[] {
  const data = /^data: (\{.*)$/ms.exec(frame)?.[1];
  return data === undefined ? [] : [JSON.parse(data) as Message];
}

/** The messages of an event stream as they come, and the comments and other events as undefined. */
export async function* events(incoming: IncomingMessage): AsyncGenerator<Message | undefined, void, void> {
  let rest = "";
  incoming.setEncoding("utf8");
  for await (const chunk of incoming) {
    const frames = (rest + String(chunk)).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) yield messageIn(frame)[0];
  }
  assert.equal(rest, "", "the stream ended inside a frame");
}

/** The whole answer, read with a pause after each piece. @throws Refused if the adapter has no room */
export async function readSlowly(incoming: IncomingMessage, pauseMs: number): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) {
    chunks.push(chunk as Buffer);
    await delay(pauseMs);
  }
  return admitted(incoming, Buffer.concat(chunks).toString());
}
