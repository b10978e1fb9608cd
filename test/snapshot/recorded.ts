import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { createHandler } from "../../lib/index.ts";
import type { Handler, HandlerOptions, ServerConfig } from "../../lib/index.ts";
import { snapshotText } from "../../lib/snapshot/format.ts";
import { recordServer } from "../../lib/snapshot/record-server.ts";
import { within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import type { Scope } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";

/** What `mayfly build` leaves of one server: `only`. */
export interface Built {
  readonly baseDirectory: string;
  /** Where its snapshot is. */
  readonly file: string;
  readonly options: HandlerOptions;
  readonly token: string;
}

/** A server, whose processes carry the token. */
export type Configured = (token: string) => ServerConfig;

export function program(path: string, ...args: string[]): Configured {
  return (token) => ({ command: process.execPath, args: [path, ...args, `--token=${token}`] });
}

/** A real server, as it is installed here. */
export function real(name: string, ...args: string[]): Configured {
  const path = `../../node_modules/@modelcontextprotocol/${name}/dist/index.js`;
  return program(fileURLToPath(new URL(path, import.meta.url)), ...args);
}

/** Records a server, and writes its snapshot where handlers look for it. */
export async function build(
  t: Scope,
  configFor: Configured,
  more: Partial<HandlerOptions> = {},
): Promise<Built> {
  const [baseDirectory, token] = [more.baseDirectory ?? (await temporaryFolder(t)), testToken()];
  const mcpServers = { only: configFor(token) };
  const options = { mcpServers, allowAnonymous: true, ...more, baseDirectory };
  const { snapshot } = await within(recordServer("only", options), 60_000, "the recording");
  await waitUntilGone(token, { label: "recording leaves no process" });
  const folder = join(baseDirectory, "servers", "only");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "snapshot.json"), snapshotText(snapshot));
  return { baseDirectory, file: join(folder, "snapshot.json"), options, token };
}

/** A handler, and what it has started. */
export interface Counted {
  readonly handler: Handler;
  readonly post: (init: RequestInit, path?: string) => Promise<Response>;
  /** Processes since the last look. */
  readonly started: () => number;
}

/** The handler is closed after the test, and leaves no process. */
export function counted(t: Scope, { options, token }: Built, more: Partial<HandlerOptions> = {}): Counted {
  const handler = createHandler({ ...options, ...more });
  let processes = 0;
  t.after(async () => {
    await handler.close();
    await waitUntilGone(token);
  });
  return {
    handler,
    post: (init, path = "/mcp") => {
      const request = new Request(new URL(path, "http://localhost"), init);
      // The handler hands every process that it starts to waitUntil.
      const answer = handler.fetch(request, { waitUntil: () => (processes += 1) });
      return within(answer, 20_000, "an answer");
    },
    started: () => {
      const seen = processes;
      processes = 0;
      return seen;
    },
  };
}

/** All that a client sees of an answer, but for the session that it begins. */
export async function seen(response: Response): Promise<string> {
  const headers = [...response.headers].map(([name, value]) =>
    name === "mcp-session-id" ? name : `${name}: ${value}`,
  );
  return [response.status, ...headers, "", await response.text()].join("\n");
}
