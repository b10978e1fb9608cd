import { userInfo } from "node:os";

import { codeIn } from "../support/documents.ts";
import { INSTANCE } from "./instance-header.ts";

/** Picks an nginx configuration out of those that docs/scaling.md has. */
export type Choose = (documented: readonly string[]) => string;

/** The first of them: all instances in turn. */
export const inTurn: Choose = ([first = ""]) => first;

/** The same, with all requests of a caller at one instance. */
export const byCaller: Choose = ([first = "", sticky = ""]) => first.replace(UPSTREAM, () => sticky);

const UPSTREAM = /^upstream mayfly \{[^]*?^\}\n/m;

export interface Setting {
  /** Where all its files are. */
  readonly folder: string;
  readonly port: number;
  readonly instances: readonly string[];
  /** Those of them that get requests. */
  readonly active: readonly string[];
  readonly choose: Choose;
}

/** nginx as docs/scaling.md sets it up, in the foreground. */
export async function nginxConfiguration(setting: Setting): Promise<string> {
  const { folder } = setting;
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
${await site(setting)}}
`;
}

async function site({ port, instances, active, choose }: Setting): Promise<string> {
  const documented = choose((await codeIn("docs/scaling.md", "nginx")).map(({ code }) => code));
  const servers = instances.map((instance) => {
    const down = active.includes(instance) ? "" : " down";
    return `  server ${instance} max_fails=1 fail_timeout=1s${down};\n`;
  });
  return (
    documented
      .replace(/(?: *server [\d.]+:\d+[^;]*;\n)+/, servers.join(""))
      .replace(/listen \d+;/, `listen 127.0.0.1:${port};`)
      // Which of the two has answered, where nginx had to ask a second one.
      .replace("location / {", `add_header ${INSTANCE} $answering always;\n  location / {`)
  );
}
