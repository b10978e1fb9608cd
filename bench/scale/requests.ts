import { modern } from "../../test/support/modern.ts";
import { call, post, request } from "../../test/support/rpc.ts";
import type { Post } from "../../test/support/rpc.ts";
import type { BenchServer } from "../servers.ts";

/** A kind of request that is measured. */
export interface Kind {
  readonly name: string;
  readonly path: string;
  readonly init: Post;
  /** Of one measurement. */
  readonly count: number;
}

const QUICK = 1000;
const WITH_PROCESS = 15;

/** What needs no process, and what may be answered from a snapshot; then calls, which always need one. */
export function kindsOf(servers: readonly BenchServer[]): readonly Kind[] {
  const path = `/mcp/${servers[0]?.name}`;
  return [
    { name: "ping", path, init: post(request("ping")), count: QUICK },
    { name: "tools/list", path, init: post(request("tools/list")), count: WITH_PROCESS },
    { name: "server/discover", path, init: modern("server/discover"), count: WITH_PROCESS },
    ...servers.map(({ name, tool, arguments: args }) => ({
      name: `tools/call of ${name}`,
      path: `/mcp/${name}`,
      init: post(call(tool, args)),
      count: WITH_PROCESS,
    })),
  ];
}

/** @throws for anything but a result */
export async function send(url: string, { name, path, init }: Kind): Promise<void> {
  const response = await fetch(url + path, init);
  const text = await response.text();
  if (!text.includes('"result":')) throw new Error(`${name}: ${response.status} ${text}`);
}

/** So many at once, one after the other each. @returns how many were answered within the time */
export async function flood(url: string, kind: Kind, clients: number, ms: number): Promise<number> {
  const end = performance.now() + ms;
  const client = async (): Promise<number> => {
    let answered = 0;
    while (performance.now() < end) {
      await send(url, kind);
      if (performance.now() < end) answered += 1;
    }
    return answered;
  };
  const all = await Promise.all(Array.from({ length: clients }, client));
  return all.reduce((sum, one) => sum + one, 0);
}
