import assert from "node:assert/strict";

import { modernCall } from "../../test/support/modern.ts";
import { ask } from "./client.ts";
import type { Answer } from "./client.ts";
import { lastOf, modernCallOf, textOf } from "./job.ts";
import type { Job, Kind } from "./job.ts";

/** Questions of a server to its user. */
export const QUESTIONS: Readonly<Record<string, Kind>> = {
  "a question, answered to the process that waits": { weight: 3, run: answerHeld },
  "a question, abandoned": { weight: 2, run: abandonHeld },
  "questions, answered to a fresh process each": { weight: 3, run: answerRerun },
  "a question to a client that cannot be asked": { weight: 2, run: cannotBeAsked },
};

const capabilities = { elicitation: {} };

async function answerHeld(job: Job): Promise<void> {
  const state = stateOf(await modernCallOf(job, "legacy-asks", "ask-one", {}, { capabilities }));
  const { status, text, ...rest } = await answer(job, "legacy-asks", "ask-one", state);
  // Of several that wait too long, the oldest gives way.
  if (status === 400) assert.match(text, /continuation expired/);
  else assert.match(textOf({ status, text, ...rest }), /decline/);
}

async function abandonHeld(job: Job): Promise<void> {
  job.forgotten.push(stateOf(await modernCallOf(job, "legacy-asks", "ask-one", {}, { capabilities })));
}

/** Ends the process that waits for an answer, if it still does. */
export async function answerForgotten(job: Job, state: string): Promise<void> {
  const { status, text } = await answer(job, "legacy-asks", "ask-one", state);
  assert.ok(status === 200 || /continuation expired/.test(text), text);
}

async function answerRerun(job: Job): Promise<void> {
  const first = await modernCallOf(job, "rerun", "ask-two", {}, { capabilities });
  const second = await answer(job, "rerun", "ask-two", stateOf(first));
  const third = await answer(job, "rerun", "ask-two", stateOf(second));
  assert.match(textOf(third), /decline.*decline/);
}

async function cannotBeAsked(job: Job): Promise<void> {
  assert.match(textOf(await modernCallOf(job, "legacy-asks", "ask-one")), /^no elicitation/);
}

function stateOf(asked: Answer): string {
  const state = lastOf(asked).result?.["requestState"];
  assert.ok(typeof state === "string", `no requestState: ${asked.text.slice(0, 500)}`);
  return state;
}

function answer(
  job: Job,
  server: "legacy-asks" | "rerun",
  tool: string,
  requestState: string,
): Promise<Answer> {
  const retry = { capabilities, requestState, inputResponses: { q0: { action: "decline" } } };
  return ask(job.door, `/mcp/${server}`, modernCall(tool, {}, retry));
}
