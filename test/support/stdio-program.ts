import { spawn } from "node:child_process";
import type { TestContext } from "node:test";

import { isNotification, isResponse, messagesOf } from "../../lib/jsonrpc.ts";
import type { Message, RequestValue } from "../../lib/jsonrpc.ts";
import { readLines } from "../../lib/lines.ts";
import { within } from "./deadline.ts";
import { fixture } from "./fixture.ts";
import { waitUntilGone } from "./processes.ts";

/** A stdio server, as the remotes of tests are made of. */
export interface Program {
  send(text: string): void;
  /** The answer to a request with that id. */
  answer(id: string): Promise<Message>;
}

export interface ProgramParameters {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly token: string;
}

const WAIT_MS = 15_000;

/** How to start test/matrix/servers/<name>.mjs, a server of the SDKs. */
export function sdkServer(name: string): ProgramParameters {
  const { args, command, token } = fixture(`../../matrix/servers/${name}`);
  return { command, args, token, env: { STATE_KEY: "a key of the tests that is long enough" } };
}

/** After the test it is gone. @param hear is given whatever is not the answer to a request of `answer` */
export function startProgram(
  t: TestContext,
  { command, args, env, token }: ProgramParameters,
  hear: (message: Message) => Promise<void> | void,
): Program {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => undefined);
  const over = new AbortController();
  const awaited = new Map<unknown, (message: Message) => void>();
  const reading = (async () => {
    for await (const line of readLines(child.stdout, 64 * 1024 ** 2, over.signal)) {
      for (const message of messagesOf(line)?.messages ?? []) {
        const settle = isResponse(message) ? awaited.get(message.value.id) : undefined;
        if (settle) settle(message);
        else await hear(message);
      }
    }
  })();
  t.after(async () => {
    over.abort();
    child.kill("SIGKILL");
    await reading.catch(() => undefined);
    await waitUntilGone(token);
  });
  return {
    send: (text) => void child.stdin.write(`${text.replace(/[\r\n]/g, " ")}\n`),
    answer: (id) => within(new Promise((resolve) => awaited.set(id, resolve)), WAIT_MS, `an answer to ${id}`),
  };
}

/** The request in flight that a notification is about: by its mark, its token, or since there is no other. */
export function requestOf(
  message: Message,
  inFlight: readonly Message<RequestValue>[],
): Message<RequestValue> | undefined {
  const { params = {} } = isNotification(message) ? message.value : {};
  const { ["io.modelcontextprotocol/subscriptionId"]: mark } = Object(params["_meta"]) as {
    readonly [key: string]: unknown;
  };
  const token = params["progressToken"];
  return inFlight.find(({ value }) => {
    const { progressToken } = Object(value.params?.["_meta"]) as { readonly progressToken?: unknown };
    if (mark !== undefined) return value.id === mark;
    return token === undefined || progressToken === token;
  });
}
