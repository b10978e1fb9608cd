import { within } from "../support/deadline.ts";
import { readAll } from "../support/event-stream.ts";
import type { Post } from "../support/rpc.ts";
import { launchFunction } from "../vercel/launch.ts";

const WAIT_MS = 60_000;

/** What the visit is told. */
export interface Deployed {
  readonly kind: "vercel";
  /** The function, and below it `servers`. */
  readonly folder: string;
  /** Holds vercel.json and the page. */
  readonly project: string;
  readonly handler: string;
}

/** A function that runs. */
export interface RunningFunction {
  readonly ask: (path: string, init: Post) => Promise<{ readonly status: number; readonly text: string }>;
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/** With nothing in its environment but what its platform needs, and a HOME that cannot be written. */
export async function startFunction({ folder, project, handler }: Deployed): Promise<RunningFunction> {
  const env = { ALLOW_ANONYMOUS: "true", HOME: "/root", PATH: process.env["PATH"] ?? "" };
  const launched = await launchFunction(folder, env, { projectFolder: project, handler });
  return {
    log: () => launched.log(),
    stop: () => launched.stop(),
    async ask(path, init) {
      const response = await within(fetch(launched.url + path, init), WAIT_MS, `an answer of ${path}`);
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
      const text = isStream ? ((await readAll(response)).at(-1)?.data ?? "") : await response.text();
      return { status: response.status, text };
    },
  };
}
