import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { temporaryFolder } from "../../support/files.ts";
import { CLIENTS } from "./clients.ts";
import type { ClientKind, Way } from "./clients.ts";
import { matrixTable, outcomesOf, shortcomings } from "./outcomes.ts";
import type { Outcomes } from "./outcomes.ts";
import { connectProgram, mcpRemoteProgram } from "./programs.ts";
import type { Program } from "./programs.ts";
import type { Remote } from "./remotes.ts";

/** A test for each of the clients with the remote; for all of them, also the table of what each could do. */
export function matrixOf(remote: Remote, clients: readonly ClientKind[] = CLIENTS): void {
  const [direct, through] = [new Map<string, Outcomes>(), new Map<string, Outcomes>()];
  before(async () => {
    const way = (url: URL): Way => ({ url, transport: remote.transport });
    for (const client of clients) direct.set(client.title, await outcomesOf(client, way, remote));
  });
  if (clients === CLIENTS) after(() => console.log(matrixTable(remote.title, direct, through)));
  for (const client of clients) {
    test(`${client.title} does through stdio what it does directly`, async (t) => {
      const home = await temporaryFolder(t);
      const way = (url: URL): Way => ({ program: programFor(url, remote, home) });
      const found = await outcomesOf(client, way, remote);
      through.set(client.title, found);
      assert.deepEqual(shortcomings(client.title, direct, found), []);
    });
  }
}

function programFor(url: URL, { transport }: Remote, home: string): Program {
  if (process.env["CONNECT_THROUGH"] === "mcp-remote") return mcpRemoteProgram(url, transport, home);
  return connectProgram(url);
}
