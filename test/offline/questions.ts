import { modern, modernCall } from "../support/modern.ts";
import { call, initialize, post, request } from "../support/rpc.ts";
import type { Post } from "../support/rpc.ts";
import { REAL_SERVERS } from "./servers.ts";
import type { RealServer } from "./servers.ts";

/** What an agent asks of a server. */
export interface Question {
  readonly server: string;
  readonly what: string;
  readonly init: Post;
}

const LISTS = ["tools/list", "prompts/list", "resources/list"];

export function questions(): readonly Question[] {
  return REAL_SERVERS.flatMap((server) =>
    posts(server).map(([what, init]) => ({ server: server.name, what, init })),
  );
}

function posts({
  tool,
  arguments: args,
  next,
}: RealServer): readonly (readonly [what: string, init: Post])[] {
  const second = next ?? { tool, arguments: args };
  return [
    ["initialize", post(initialize())],
    ["server/discover", modern("server/discover")],
    ...LISTS.map((list) => [list, post(request(list))] as const),
    ["tools/call", post(call(tool, args))],
    ["tools/call of 2026-07-28", modernCall(second.tool, second.arguments)],
  ];
}
