import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { until } from "../../support/deadline.ts";
import { waitUntilGone } from "../../support/processes.ts";
import { post } from "../../support/rpc.ts";
import type { Engine } from "./engine.ts";

export const KEY = "key-of-the-container-test";

/** A container that serves on a port of 127.0.0.1, without rights and without a disk to write to. */
export interface Container {
  readonly id: string;
  readonly url: string;
  /** Of PID 1, as the host sees it. */
  readonly pid: number;
  /** A POST to that path, with the key. */
  post(path: string, body: object): Promise<Response>;
  /** The output of a shell in the container. */
  shell(line: string): Promise<string>;
  stop(): Promise<Stopped>;
}

/** After `podman stop`. */
export interface Stopped {
  /** How long that took, in milliseconds. */
  readonly ms: number;
  /** How PID 1 ended. */
  readonly code: number;
}

export interface ContainerOptions {
  /** More of `podman run`, such as a volume. */
  readonly options?: readonly string[];
  /** In place of the image's own CMD. */
  readonly args?: readonly string[];
}

/** The defaults of podman may be above what root may set. */
export const ULIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"] as const;

// As compose.yaml asks for it.
const CONFINED = [
  ...["--read-only", "--tmpfs", "/tmp:rw,size=256m,mode=1777"],
  ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
  ...ULIMITS,
];

/** Runs it until the test ends, and proves that none of its processes is left. */
export async function startContainer(
  t: TestContext,
  engine: Engine,
  image: string,
  { options = [], args = [] }: ContainerOptions = {},
): Promise<Container> {
  const port = await freePort();
  // Another network than that of the host needs rights that not every machine gives.
  const variables = ["--network", "host", "--env", "HOST=127.0.0.1", "--env", `PORT=${port}`];
  const id = await run(t, engine, [...variables, ...options, image, ...args]);
  const url = `http://127.0.0.1:${port}`;
  const label = (): string => `the container serves: ${engine.attempt("logs", id).output}`;
  await until(() => isHealthy(url), { withinMs: 20_000, label });
  return containerOf(engine, id, url);
}

/** Runs it without any network, as it is but for its key. @returns the output of a shell in it, once it serves */
export async function startCutOff(
  t: TestContext,
  engine: Engine,
  image: string,
): Promise<Container["shell"]> {
  const id = await run(t, engine, ["--network", "none", image]);
  const serves = (): boolean => /^Mayfly listens/m.test(engine.attempt("logs", id).output);
  await until(serves, { withinMs: 20_000, label: () => `it serves: ${engine.attempt("logs", id).output}` });
  return (line) => engine.podman("exec", id, "sh", "-c", line);
}

async function run(t: TestContext, engine: Engine, words: readonly string[]): Promise<string> {
  const id = await engine.podman("run", "--detach", ...CONFINED, "--env", `AUTH_KEY=${KEY}`, ...words);
  t.after(async () => {
    await engine.podman("rm", "--force", "--time", "0", id);
    await waitUntilGone(id, { label: "nothing of the container is left" });
  });
  return id;
}

async function containerOf(engine: Engine, id: string, url: string): Promise<Container> {
  const inspect = async (field: string): Promise<number> =>
    Number(await engine.podman("inspect", "--format", `{{.State.${field}}}`, id));
  return {
    id,
    url,
    pid: await inspect("Pid"),
    post: (path, body) => fetch(`${url}${path}`, post(body, { Authorization: `Bearer ${KEY}` })),
    shell: (line) => engine.podman("exec", id, "sh", "-c", line),
    async stop() {
      const start = performance.now();
      await engine.podman("stop", id);
      return { ms: performance.now() - start, code: await inspect("ExitCode") };
    },
  };
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/health`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
