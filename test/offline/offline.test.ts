import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { ROOT } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";
import { sharedScope } from "../support/shared-scope.ts";
import { NO_RUNTIME, RUNTIME } from "../lambda/environment.ts";
import { buildFunction } from "../vercel/build.ts";
import type { Deployed } from "./function.ts";
import { builtProject } from "./project.ts";
import { notPermitted, runOffline } from "./rig.ts";
import { REAL_SERVERS } from "./servers.ts";
import type { Seen, Visit } from "./visit.ts";

/** It takes a minute and a half, and the registry. */
const SKIP = process.env["OFFLINE_TESTS"] ? notPermitted() : "npm run test:offline runs it";
const VISIT_MS = 300_000;
const VISITOR = fileURLToPath(new URL("visit.ts", import.meta.url));

async function visit(deployed: Deployed): Promise<Visit> {
  const command = [process.execPath, "--import", "tsx", VISITOR, JSON.stringify(deployed)];
  const kept = [ROOT.replace(/\/$/, ""), deployed.folder, deployed.project];
  return JSON.parse(await runOffline(command, { kept, timeoutMs: VISIT_MS })) as Visit;
}

interface Message {
  readonly result?: {
    readonly content?: readonly { readonly text?: string }[];
    readonly tools?: readonly { readonly name: string }[];
    readonly isError?: boolean;
    readonly [member: string]: unknown;
  };
  readonly error?: { readonly code: number };
}

/** What the platforms have in common: a project, and what is deployed of it. */
const PLATFORMS = [
  {
    name: "the built Vercel function",
    skip: SKIP,
    deploy: async (project: string): Promise<Deployed> => {
      const folder = await temporaryFolder(scope);
      const { handler } = await buildFunction(project, folder);
      return { platform: "vercel", folder, project, handler };
    },
  },
  {
    name: "the Lambda folder, under the runtime client",
    skip: SKIP || (RUNTIME === undefined && NO_RUNTIME),
    deploy: async (project: string): Promise<Deployed> => {
      // Nothing of the project is near.
      const folder = await temporaryFolder(scope);
      await cp(join(project, "lambda"), folder, { recursive: true });
      return { platform: "lambda", folder, project, handler: "index.handler" };
    },
  },
] as const;

const scope = sharedScope();
let project: Promise<string> | undefined;
after(() => scope.end());

for (const { name: deployment, skip, deploy } of PLATFORMS) {
  describe(`${deployment}, without a network and with a read-only root`, { skip, concurrency: false }, () => {
    let found: Visit;
    before(async () => {
      project ??= builtProject(scope);
      found = await visit(await deploy(await project));
    });

    const answer = (server: string, what: string): Message => {
      const seen = found.seen.find((one: Seen) => one.server === server && one.what === what);
      assert.ok(seen, `${what} of ${server} was not asked`);
      return JSON.parse(seen.text) as Message;
    };

    for (const { name, tool, answer: expected } of REAL_SERVERS) {
      test(`${name} is initialized, discovered and listed`, () => {
        const capabilities = answer(name, "initialize").result?.["capabilities"];
        assert.ok(capabilities, found.log);
        assert.deepEqual(answer(name, "server/discover").result?.["capabilities"], capabilities);
        assert.ok(answer(name, "tools/list").result?.tools?.some((one) => one.name === tool));
        for (const list of ["prompts", "resources"]) {
          const { result, error } = answer(name, `${list}/list`);
          const isDeclared = Object.hasOwn(capabilities, list);
          assert.ok(isDeclared ? Array.isArray(result?.[list]) : error?.code === -32601, list);
        }
      });

      for (const what of ["tools/call", "tools/call of 2026-07-28"]) {
        test(`${name} answers a ${what}`, () => {
          const { result } = answer(name, what);
          assert.ok(result && result.isError !== true, JSON.stringify(answer(name, what)));
          assert.match(result.content?.map(({ text }) => text).join("\n") ?? "", expected);
        });
      }
    }

    test("nobody has tried to get out, which would have been seen", () => {
      const [answered, tried] = found.withoutRoute;
      assert.equal(answered, 0);
      assert.ok(tried > 0);
      assert.match(found.refused["a name"] ?? "", /^E/);
    });

    test("nothing but /tmp can be written", () => {
      const { "a name": _, ...written } = found.refused;
      assert.deepEqual([...new Set(Object.values(written))], ["EROFS"], JSON.stringify(written));
    });
  });
}
