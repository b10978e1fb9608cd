import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { OWN } from "../lib/environment.ts";
import { TAKEN_HEADERS, readSources } from "../lib/credential-sources.ts";
import { ConfigurationError, createHandler, parseMcpJson } from "../lib/index.ts";
import { NEVER_SETTABLE } from "../lib/never-settable.ts";
import { casesOf, concrete } from "./support/never-settable.ts";

type EnvFrom = Readonly<Record<string, string>>;

const FORM = 'expected "header:NAME", "query:NAME" or "bearer"';
const LETTERS = "expected a parameter of letters, digits, '-', '.', '_' and '~'";

/** In the library, and in a file. */
function assertRefused(server: object, reason: string): void {
  const mcpServers = { only: { command: "x", ...server } };
  const create = (): unknown => createHandler({ mcpServers });
  assert.throws(create, new ConfigurationError(`mcpServers.only.${reason}`));
  const parse = (): unknown => parseMcpJson(JSON.stringify({ mcpServers }), "mcp.json", {});
  assert.throws(parse, new ConfigurationError(`mcp.json: mcpServers.only.${reason}`));
}

describe("envFrom takes", () => {
  const rows: readonly (readonly [what: string, envFrom: EnvFrom])[] = [
    ["nothing", {}],
    ["headers, parameters and the bearer token", { A: "header:X-A", B: "query:b", C: "bearer" }],
    ["one source for two variables", { A: "query:token", B: "query:token", C: "header:x", D: "header:X" }],
    ["a parameter of the variable's own name", { TOKEN: "query:TOKEN" }],
    ["names of what every object has", { constructor: "query:constructor", toString: "query:__proto__" }],
    ["headers of gateways", { USER_EMAIL: "header:X-Forwarded-Email", USER_AGENT: "header:user-agent" }],
    ["what may be allowed in spite of its name", { NODE_ENV: "query:mode", DEBUG: "header:x-debug" }],
  ];
  for (const [what, envFrom] of rows) {
    test(what, () => {
      const mcpServers = { only: { command: "x", envFrom } };
      assert.doesNotThrow(() => createHandler({ mcpServers }));
      const parsed = parseMcpJson(JSON.stringify({ mcpServers }), "mcp.json", {});
      assert.deepEqual(parsed.mcpServers["only"]?.envFrom, envFrom);
      assert.equal(readSources(envFrom).length, Object.keys(envFrom).length);
    });
  }
});

describe("envFrom refuses", () => {
  const rows: readonly (readonly [envFrom: EnvFrom, reason: string])[] = [
    [{ TOKEN: "" }, `TOKEN: ${FORM}`],
    [{ TOKEN: "Bearer" }, `TOKEN: ${FORM}`],
    [{ TOKEN: "cookie:session" }, `TOKEN: ${FORM}`],
    [{ TOKEN: "x-token" }, `TOKEN: ${FORM}`],
    [{ TOKEN: "Header:x-token" }, `TOKEN: ${FORM}`],
    [{ TOKEN: "header:" }, "TOKEN: expected the name of a header"],
    [{ TOKEN: "header: x-token" }, "TOKEN: expected the name of a header"],
    [{ TOKEN: "header:x token" }, "TOKEN: expected the name of a header"],
    [{ TOKEN: "header:x-tok\u00e9n" }, "TOKEN: expected the name of a header"],
    [{ TOKEN: "header:x\r\ny" }, "TOKEN: expected the name of a header"],
    [{ TOKEN: "header:Authorization" }, 'TOKEN: the header authorization is read by "bearer"'],
    [{ TOKEN: "query:" }, `TOKEN: ${LETTERS}`],
    [{ TOKEN: "query:a b" }, `TOKEN: ${LETTERS}`],
    [{ TOKEN: "query:%61uth_key" }, `TOKEN: ${LETTERS}`],
    [{ TOKEN: "query:auth_key" }, "TOKEN: auth_key is a URL parameter of Mayfly's own"],
    [{ TOKEN: "query:Auth_Key" }, "TOKEN: Auth_Key is a URL parameter of Mayfly's own"],
    [{ TOKEN: "query:session_id" }, "TOKEN: session_id is a URL parameter of Mayfly's own"],
    [{ TOKEN: "query:sessionId" }, "TOKEN: sessionId is a URL parameter of Mayfly's own"],
    [{ TOKEN: "query:deep" }, "TOKEN: deep is a URL parameter of Mayfly's own"],
    [{ TOKEN: "bearer", token: "header:x" }, "token: is the same variable as TOKEN"],
    [{ "": "bearer" }, ": is not the name of a variable"],
    [{ "A-B": "bearer" }, "A-B: is not the name of a variable"],
    [{ "A B": "bearer" }, "A B: is not the name of a variable"],
    [{ "1A": "bearer" }, "1A: is not the name of a variable"],
    [{ "A=B": "bearer" }, "A=B: is not the name of a variable"],
    [{ "TO\u212AEN": "bearer" }, "TO\u212AEN: is not the name of a variable"],
  ];
  for (const [envFrom, reason] of rows) {
    test(`${JSON.stringify(envFrom)}: ${reason}`, () => assertRefused({ envFrom }, `envFrom.${reason}`));
  }

  test("__proto__, which a record would leave out in silence", () => {
    const envFrom: unknown = JSON.parse('{"__proto__":"bearer"}');
    assertRefused({ envFrom }, "envFrom.__proto__: is not the name of a variable");
  });

  test("every name that no request can set, in any case, from any source", () => {
    const sources = ["header:x-any", "query:any", "bearer"];
    const names = [...NEVER_SETTABLE, ...OWN].flatMap(concrete).flatMap(casesOf);
    for (const [at, name] of names.entries()) {
      const envFrom = { [name]: sources[at % sources.length] };
      assertRefused({ envFrom }, `envFrom.${name}: can never be set by a request`);
    }
  });

  for (const [env, envFrom, found] of [
    ["TOKEN", "TOKEN", "TOKEN"],
    ["token", "TOKEN", "token"],
  ] as const) {
    test(`${envFrom} where env has ${env}`, () => {
      const server = { env: { OTHER: "", [env]: "mine" }, envFrom: { [envFrom]: "bearer" } };
      const reason = `stands in env too, as ${found}: the value is yours, or that of the request`;
      assertRefused(server, `envFrom.${envFrom}: ${reason}`);
    });
  }
});

/** A pin: the page lists them. */
const TAKEN = `
  authorization x-api-key cookie host origin referer accept accept-* access-control-* content-* mcp-* last-event-id
  sec-* proxy-* connection keep-alive te trailer transfer-encoding upgrade expect forwarded via
`;

describe("a header that means something already", () => {
  test("is on the list, which the page has too", () => {
    const names = TAKEN.trim().split(/\s+/);
    assert.deepEqual([...TAKEN_HEADERS], names);
    const page = readFileSync(new URL("../docs/variables.md", import.meta.url), "utf8");
    const [, line = ""] = /^Headers that mean something already[^]*?: (.*)$/m.exec(page) ?? [];
    assert.deepEqual(
      [...line.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
      names,
    );
  });

  for (const pattern of TAKEN_HEADERS.filter((name) => name !== "authorization")) {
    test(`is no source: ${pattern}`, () => {
      for (const name of concrete(pattern)) {
        const reason = `the header ${name.toLowerCase()} means something else already`;
        assertRefused({ envFrom: { TOKEN: `header:${name}` } }, `envFrom.TOKEN: ${reason}`);
      }
    });
  }
});
