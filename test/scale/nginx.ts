import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";

import { until, within } from "../support/deadline.ts";
import { codeIn } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";
import type { Scope } from "../support/files.ts";
import { INSTANCE } from "./instance-header.ts";

const WAIT_MS = 15_000;

export function hasNginx(): boolean {
  return spawnSync("nginx", ["-v"]).status === 0;
}

/** nginx as docs/scaling.md sets it up, in the foreground. */
export function startNginx(scope: Scope, instances: readonly string[]): Promise<string> {
  return start(scope, instances, ([inTurn]) => inTurn);
}

/** The same, with all requests of a caller at one instance. */
export function startStickyNginx(scope: Scope, instances: readonly string[]): Promise<string> {
  return start(scope, instances, ([inTurn = "", sticky = ""]) => inTurn.replace(UPSTREAM, () => sticky));
}

const UPSTREAM = /^upstream mayfly \{[^]*?^\}\n/m;

async function start(
  scope: Scope,
  instances: readonly string[],
  choose: (documented: readonly string[]) => string | undefined,
): Promise<string> {
  const folder = await temporaryFolder(scope);
  await mkdir(join(folder, "logs"));
  const port = await freePort();
  await writeFile(join(folder, "nginx.conf"), await configuration({ folder, port, instances, choose }));
  const nginx = spawn("nginx", ["-p", folder, "-c", "nginx.conf", "-e", "logs/error.log"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: Buffer[] = [];
  nginx.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  const exited = once(nginx, "exit");
  scope.after(async () => {
    nginx.kill("SIGTERM");
    await within(exited, WAIT_MS, "nginx exits").finally(() => nginx.kill("SIGKILL"));
  });
  const url = `http://127.0.0.1:${port}`;
  const label = (): string => `nginx listens: ${Buffer.concat(said).toString()}`;
  await until(() => answers(`${url}/health`), { withinMs: WAIT_MS, label });
  return url;
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

interface Setting {
  readonly folder: string;
  readonly port: number;
  readonly instances: readonly string[];
  readonly choose: (documented: readonly string[]) => string | undefined;
}

async function configuration({ folder, port, instances, choose }: Setting): Promise<string> {
  const documented = choose((await codeIn("docs/scaling.md", "nginx")).map(({ code }) => code));
  const servers = instances.map((instance) => `  server ${instance} max_fails=1 fail_timeout=1s;\n`).join("");
  const site = (documented ?? "")
    .replace(/(?: *server [\d.]+:\d+[^;]*;\n)+/, servers)
    .replace(/listen \d+;/, `listen 127.0.0.1:${port};`)
    // Which of the two has answered, where nginx had to ask a second one.
    .replace("location / {", `add_header ${INSTANCE} $answering always;\n  location / {`);
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
${process.getuid?.() === 0 ? `user ${userInfo().username};` : ""}
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  map $upstream_addr $answering { "~(?<last>[^, ]+)$" $last; }
${site}}
`;
}
