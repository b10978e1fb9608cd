import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { RunningServer } from "../../lib/adapters/node.ts";
import { within } from "../support/deadline.ts";
import { testToken } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { configOf } from "./children.ts";
import type { ChildKind } from "./children.ts";
import type { ClientKind, Connected, User } from "./clients.ts";

export const WAIT_MS = 15_000;
const STATE_SECRETS = ["a secret of the tests that is long enough"];

export interface Cell {
  readonly client: ClientKind;
  readonly child: ChildKind;
}

export type InputMode = "refuse" | "rerun" | "hold";

export interface Bench {
  readonly connected: Connected;
  readonly token: string;
  /** The questions that the user saw. */
  readonly asked: string[];
  /** The processes that were there while the user answered. */
  readonly alive: number[];
  /** The methods that reached a server. */
  readonly received: string[];
}

/** What is found out while the user answers: the processes that are there. */
type Look = (token: string) => Promise<number[]>;

/** A client of the cell, connected through an adapter of its own in front of the child of the cell. */
export async function connect(
  t: TestContext,
  { client, child }: Cell,
  inputMode?: InputMode,
  lookAt: Look = look,
): Promise<Bench> {
  const token = testToken();
  const [asked, alive, received]: [string[], number[], string[]] = [[], [], []];
  const server = await serve({
    mcpServers: { only: configOf(child, token) },
    port: 0,
    ...(inputMode && { inputMode }),
    ...(inputMode === "rerun" && { stateSecrets: STATE_SECRETS }),
    onMessage: (_server, direction, text) => void (direction === "in" && received.push(methodOf(text))),
  });
  const user: User = async (message) => {
    asked.push(message);
    alive.push(...(await lookAt(token)));
    return message.includes("name") ? { name: "Ada" } : { age: 36 };
  };
  const connecting = client.connect(new URL(`${server.url}/mcp`), user);
  t.after(() => end(server, connecting, token));
  const connected = await within(connecting, WAIT_MS, "connect");
  await waitUntilGone(token, { label: "connecting leaves no process behind" });
  return { connected, token, asked, alive, received };
}

/** No process may be left before the adapter is closed, which would end it. */
async function end(server: RunningServer, connecting: Promise<Connected>, token: string): Promise<void> {
  try {
    await waitUntilGone(token);
  } finally {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    const closed = connecting.then((connected) => connected.close()).catch(() => undefined);
    await within(closed, WAIT_MS, "the client closes");
  }
}

/** The processes that are there. */
export async function look(token: string): Promise<number[]> {
  return processesWith(token).map(({ pid }) => pid);
}

/** Rejects if a process stays. */
export async function gone(token: string): Promise<number[]> {
  await waitUntilGone(token, { label: "no process waits for the answer" });
  return [];
}

function methodOf(text: string): string {
  return (JSON.parse(text) as { method?: string }).method ?? "answer";
}
