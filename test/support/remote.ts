import { serve } from "../../lib/adapters/node.ts";
import type { Scope } from "./files.ts";
import { fixture } from "./fixture.ts";
import { waitUntilGone } from "./processes.ts";

export interface Remote {
  readonly url: string;
  /** What its callers have shown to come in: headers. */
  readonly credentials: ReadonlySet<string>;
}

/** A real server with one tool, `count`; it lets in whoever shows any credential. */
export async function startRemote(t: Scope): Promise<Remote> {
  const { command, args, token } = fixture("counter");
  const credentials = new Set<string>();
  const server = await serve({
    mcpServers: { counter: { command, args } },
    port: 0,
    authenticate: ({ headers }) => {
      const names = ["authorization", "x-api-key", "x-team-key"].filter((name) => headers.has(name));
      for (const name of names) credentials.add(`${name}: ${headers.get(name)}`);
      return names.length === 0 ? undefined : { principal: "ann" };
    },
  });
  t.after(async () => {
    await server.close();
    await waitUntilGone(token);
  });
  return { url: `${server.url}/mcp`, credentials };
}
