import * as z from "zod/mini";

import { salientText } from "../eras/request-down.ts";
import { MayflyError } from "../errors.ts";
import { paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import { isObjectText, memberText, members } from "../rawjson.ts";
import { sha256 } from "../digest.ts";
import type { Question } from "./questions.ts";
import { SEALED_PREFIX } from "./seal.ts";
import type { Seal } from "./seal.ts";

/**
 * A request that runs again from its beginning each time that the client has answered a question: the answers given so
 * far travel with the client, sealed, and are fed to the fresh process when it asks the same again.
 * Source: 2026-07-28/basic/patterns/mrtr, Basic Workflow.
 */
export interface Rerun {
  /** Whether the request carries answers that were asked for here. */
  readonly continued: boolean;
  /** Whether it carries a state that only a modern server can have given. */
  readonly foreign: boolean;
  /** The recorded answer to a question. Each is given once: a server that asks the same twice wants two answers. */
  answerTo(question: Question): string | undefined;
  /**
   * What the client brings back with the answers.
   * @throws STATE_TOO_LARGE
   */
  requestState(open: Readonly<Record<string, Question>>): string;
}

/** Milliseconds that a client has for an answer. */
const EXPIRY_MS = 10 * 60 * 1000;
/** Characters of a state. */
const MAX_STATE = 64 * 1024;

const StateSchema = z.object({
  expires: z.number(),
  binding: z.string(),
  /** The digest of each answered question, and the text of its answer, in the order of the answers. */
  log: z.array(z.tuple([z.string(), z.string()])),
  /** The questions that the client was asked last: key and digest. */
  open: z.array(z.tuple([z.string(), z.string()])),
});

type State = z.infer<typeof StateSchema>;

/**
 * What a state belongs to: the caller, the server as it is configured, and the request (Server Requirements 5).
 * @param principal names the caller, @param configuration the server
 */
export function bindingOf(principal: string, configuration: string, request: Message<RequestValue>): string {
  return sha256(JSON.stringify([principal, configuration, salientText(request)]));
}

/**
 * @param now milliseconds since the epoch, @default the time of each step
 * @throws STATE_NOT_VALID, INPUT_RESPONSE_NOT_VALID
 */
export function createRerun(
  request: Message<RequestValue>,
  binding: string,
  seal: Seal,
  now?: number,
): Rerun {
  const given = request.value.params?.["requestState"];
  const isOurs = typeof given === "string" && given.startsWith(SEALED_PREFIX);
  const state = isOurs ? openState(seal.open(given), binding, now ?? Date.now()) : undefined;
  const log = state ? [...state.log, ...answersTo(state, request)] : [];
  const unused = [...log];
  return {
    continued: state !== undefined,
    foreign: given !== undefined && !isOurs,
    answerTo({ digest }) {
      const index = unused.findIndex(([recorded]) => recorded === digest);
      return index === -1 ? undefined : unused.splice(index, 1)[0]?.[1];
    },
    requestState(open) {
      const asked = Object.entries(open).map(([key, { digest }]): [string, string] => [key, digest]);
      const next: State = { expires: (now ?? Date.now()) + EXPIRY_MS, binding, log, open: asked };
      const text = seal.seal(JSON.stringify(next));
      if (text.length > MAX_STATE) throw new MayflyError("STATE_TOO_LARGE", { values: { limit: MAX_STATE } });
      return text;
    },
  };
}

function openState(text: string | undefined, binding: string, now: number): State {
  const parsed = StateSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
  if (!parsed.success || parsed.data.binding !== binding || parsed.data.expires < now) {
    throw new MayflyError("STATE_NOT_VALID");
  }
  return parsed.data;
}

/** Answers that are missing are asked for again, since the server asks again. */
function answersTo({ open }: State, request: Message<RequestValue>): [string, string][] {
  const answers = inputResponsesOf(request);
  return open.flatMap(([key, digest]): [string, string][] => {
    const answer = answers(key);
    return answer === undefined ? [] : [[digest, answer]];
  });
}

/** @throws INPUT_RESPONSE_NOT_VALID if one of the answers of a retry is none */
export function checkInputResponses(request: Message<RequestValue>): void {
  for (const [key, answer] of responsesIn(request)) checkResponse(key, answer);
}

/**
 * The answers that a retry brings, by key.
 * @throws INPUT_RESPONSE_NOT_VALID
 */
export function inputResponsesOf(request: Message<RequestValue>): (key: string) => string | undefined {
  const responses = responsesIn(request);
  return (key) => {
    const answer = responses.get(key);
    return answer === undefined ? undefined : checkResponse(key, answer);
  };
}

/** Read once for all: to look for each of very many among all the others would hold up everybody. */
function responsesIn({ text }: Message<RequestValue>): ReadonlyMap<string, string> {
  const responses = memberText(paramsText(text), "inputResponses") ?? "{}";
  if (!isObjectText(responses)) throw new MayflyError("INPUT_RESPONSE_NOT_VALID", { values: { key: "all" } });
  return new Map(members(responses).map(({ key, start, end }) => [key, responses.slice(start, end)]));
}

function checkResponse(key: string, answer: string): string {
  if (isObjectText(answer)) return answer;
  throw new MayflyError("INPUT_RESPONSE_NOT_VALID", { values: { key: shortened(key) } });
}
