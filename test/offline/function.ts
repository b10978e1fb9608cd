import { within } from "../support/deadline.ts";
import { readAll } from "../support/event-stream.ts";
import type { Post } from "../support/rpc.ts";
import { startEnvironment } from "../lambda/environment.ts";
import { eventV2 } from "../lambda/events.ts";
import { forwardStream, startFront } from "../lambda/front.ts";
import { createPool } from "../lambda/pool.ts";
import { launchFunction } from "../vercel/launch.ts";

const WAIT_MS = 60_000;

/** What the visit is told. */
export interface Deployed {
  readonly platform: "vercel" | "lambda";
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
export async function startFunction(deployed: Deployed): Promise<RunningFunction> {
  const started = await START[deployed.platform](deployed);
  return { ...started, ask: (path, init) => ask(started.url + path, init) };
}

type Started = Omit<RunningFunction, "ask"> & { readonly url: string };

const ENVIRONMENT = { ALLOW_ANONYMOUS: "true", HOME: "/root", PATH: process.env["PATH"] ?? "" };

const START: Record<Deployed["platform"], (deployed: Deployed) => Promise<Started>> = {
  async vercel({ folder, project, handler }) {
    const launched = await launchFunction(folder, ENVIRONMENT, { projectFolder: project, handler });
    return { url: launched.url, log: () => launched.log(), stop: () => launched.stop() };
  },
  async lambda({ folder, handler }) {
    const environment = await startEnvironment(folder, handler, ENVIRONMENT);
    const pool = createPool(() => Promise.resolve(environment));
    const front = await startFront(pool, eventV2, forwardStream);
    const stop = async (): Promise<void> => {
      front.stop();
      await pool.stop();
    };
    return { url: front.url, log: () => environment.log(), stop };
  },
};

async function ask(url: string, init: Post): ReturnType<RunningFunction["ask"]> {
  const response = await within(fetch(url, init), WAIT_MS, `an answer of ${url}`);
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  const text = isStream ? ((await readAll(response)).at(-1)?.data ?? "") : await response.text();
  return { status: response.status, text };
}
