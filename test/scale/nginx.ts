import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import type { Scope } from "../support/files.ts";
import { allProcesses, isAlive } from "../support/processes.ts";
import { nginxConfiguration } from "./nginx-configuration.ts";
import type { Choose, Setting } from "./nginx-configuration.ts";
import type { RunningBalancer } from "./running-balancer.ts";

const WAIT_MS = 15_000;
const FILE = "nginx.conf";

export function hasNginx(): boolean {
  return spawnSync("nginx", ["-v"]).status === 0;
}

/** nginx on a port of its own. */
export async function startNginx(
  scope: Scope,
  instances: readonly string[],
  choose: Choose,
): Promise<RunningBalancer> {
  const folder = await temporaryFolder(scope);
  await mkdir(join(folder, "logs"));
  const port = await freePort();
  const setting = { folder, port, instances, active: instances, choose };
  const pid = await run(scope, setting);
  return {
    url: urlOf(setting),
    sendOnlyTo: async (active) => {
      await configure({ ...setting, active });
      await reload(pid);
    },
  };
}

/** @returns the id of its process, when it answers */
async function run(scope: Scope, setting: Setting): Promise<number> {
  await configure(setting);
  const nginx = spawn("nginx", ["-p", setting.folder, "-c", FILE, "-e", "logs/error.log"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: Buffer[] = [];
  nginx.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  const exited = once(nginx, "exit");
  scope.after(async () => {
    nginx.kill("SIGTERM");
    await within(exited, WAIT_MS, "nginx exits").finally(() => nginx.kill("SIGKILL"));
  });
  const label = (): string => `nginx listens: ${Buffer.concat(said).toString()}`;
  await until(() => answers(`${urlOf(setting)}/health`), { withinMs: WAIT_MS, label });
  if (nginx.pid === undefined) throw new Error(label());
  return nginx.pid;
}

async function configure(setting: Setting): Promise<void> {
  await writeFile(join(setting.folder, FILE), await nginxConfiguration(setting));
}

/** What `nginx -s reload` does. Workers of the configuration before end with the last request that they have. */
async function reload(pid: number): Promise<void> {
  const workers = allProcesses().filter(({ ppid }) => ppid === pid);
  process.kill(pid, "SIGHUP");
  const areGone = (): boolean => workers.every((worker) => !isAlive(worker.pid));
  await until(areGone, { withinMs: WAIT_MS, label: "the workers of the configuration before end" });
}

function urlOf({ port }: Setting): string {
  return `http://127.0.0.1:${port}`;
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.status === 200;
}

/** nginx tells nobody which port it has picked. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
