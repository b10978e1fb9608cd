import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { isHttpEvent, toRequest } from "../../lib/adapters/lambda/http-event.ts";
import type { HttpEvent } from "../../lib/adapters/lambda/platform.ts";
import { MayflyError } from "../../lib/errors.ts";
import { eventOfBalancer, eventV1, eventV2, sent } from "./events.ts";

const BODY = '{"text":"é😀"}';
const POST = sent("/mcp/some%20name?a=1%262&a=3&b=%C3%A9", {
  method: "POST",
  headers: { "content-type": "application/json", cookie: "one=1; two=2", "x-many": "a, b" },
  body: BODY,
});

const FORMATS: readonly (readonly [name: string, event: HttpEvent, origin: string])[] = [
  ["a function URL", eventV2(POST), "https://abcdefghijklmnop.lambda-url.eu-central-1.on.aws"],
  [
    "a function URL, in base64",
    eventV2(POST, true),
    "https://abcdefghijklmnop.lambda-url.eu-central-1.on.aws",
  ],
  ["a REST API", eventV1(POST), "https://abcdefghijklmnop.lambda-url.eu-central-1.on.aws"],
  ["a REST API, in base64", eventV1(POST, true), "https://abcdefghijklmnop.lambda-url.eu-central-1.on.aws"],
  ["a load balancer with several values", eventOfBalancer(POST, true), "http://internal.example.com"],
];

describe("an event becomes the request that was sent", () => {
  for (const [name, event, origin] of FORMATS) {
    test(`to ${name}`, async () => {
      assert.ok(isHttpEvent(event));
      const { method, url, headers, body } = toRequest(event);
      const { pathname, searchParams, origin: found } = new URL(url);
      assert.deepEqual([method, found, pathname], ["POST", origin, "/mcp/some%20name"]);
      assert.deepEqual(
        [...searchParams],
        [
          ["a", "1&2"],
          ["a", "3"],
          ["b", "é"],
        ],
      );
      assert.deepEqual([headers.get("cookie"), headers.get("x-many")], ["one=1; two=2", "a, b"]);
      assert.equal(await new Response(body).text(), BODY);
    });
  }

  test("to a load balancer with one value for each name, of which the last one counts", () => {
    const { url, headers } = toRequest(eventOfBalancer(POST, false));
    assert.deepEqual(
      [...new URL(url).searchParams],
      [
        ["a", "3"],
        ["b", "é"],
      ],
    );
    assert.equal(headers.get("cookie"), "one=1; two=2");
  });

  test("without a body, which is null", () => {
    assert.equal(toRequest(eventV2(sent("/health"))).body, null);
    assert.equal(toRequest(eventV1(sent("/health"))).body, null);
  });

  test("with the bytes of a header that is not Latin", () => {
    const event = { ...eventV2(POST), headers: { "user-agent": "agent 😀" } };
    const value = toRequest(event).headers.get("user-agent") ?? "";
    assert.equal(Buffer.from(value, "latin1").toString("utf8"), "agent 😀");
  });
});

describe("the path of an event", () => {
  const pathOf = (event: HttpEvent): string => new URL(toRequest(event).url).pathname;
  const ofHttpApi = (rawPath: string, stage: string, routeKey = "$default", proxy?: string): HttpEvent => ({
    ...eventV2(POST),
    rawPath,
    routeKey,
    ...(proxy !== undefined && { pathParameters: { proxy } }),
    requestContext: { http: { method: "POST" }, stage },
  });

  const rows: readonly (readonly [what: string, event: HttpEvent, path: string])[] = [
    ["has no stage of an HTTP API", ofHttpApi("/dev/mcp/a", "dev"), "/mcp/a"],
    ["is / at the stage itself", ofHttpApi("/dev", "dev"), "/"],
    ["keeps what only begins like the stage", ofHttpApi("/devices", "dev"), "/devices"],
    ["keeps what is called like the default stage", ofHttpApi("/$default/mcp", "$default"), "/$default/mcp"],
    [
      "has no base path of a custom domain, where the route has a template",
      ofHttpApi("/base/mcp/a", "$default", "ANY /{proxy+}", "mcp/a"),
      "/mcp/a",
    ],
    [
      "has no base path of a REST API's custom domain",
      { ...eventV1(POST), path: "/base/mcp/a", resource: "/mcp/{server}", pathParameters: { server: "a" } },
      "/mcp/a",
    ],
    [
      "of a REST API stays as it is",
      { ...eventV1(POST), path: "/mcp", resource: "/mcp", pathParameters: null },
      "/mcp",
    ],
    ["keeps a question mark that was encoded", ofHttpApi("/mcp/a?b#c", "$default"), "/mcp/a%3Fb%23c"],
  ];
  for (const [what, event, path] of rows) test(what, () => assert.equal(pathOf(event), path));
});

describe("an event that is no valid request is refused", () => {
  const rows: readonly (readonly [what: string, change: Partial<HttpEvent>])[] = [
    ["with a host that holds a path", { headers: { host: "evil.example/x?" } }],
    ["with a host that holds credentials", { headers: { host: "user@evil.example" } }],
    ["with an empty host", { headers: { host: "" } }],
    ["with a header name that is none", { headers: { "a b": "x" } }],
    ["with a line feed in a header", { headers: { "x-a": "b\nc: d" } }],
  ];
  for (const [what, change] of rows) {
    test(what, () => {
      const refused = (error: unknown): boolean =>
        error instanceof MayflyError && error.code === "MALFORMED_REQUEST";
      assert.throws(() => toRequest({ ...eventV2(POST), ...change }), refused);
    });
  }
});

test("events of other sources are no HTTP events", () => {
  const others: readonly unknown[] = [
    { version: "0", "detail-type": "Scheduled Event", source: "aws.events" },
    { Records: [{ eventSource: "aws:sqs", body: "{}" }] },
    { source: "serverless-plugin-warmup" },
    { requestContext: { connectionId: "x", eventType: "CONNECT" } },
    { requestContext: null, rawPath: "/" },
    {},
    [],
    null,
    "ping",
    undefined,
  ];
  assert.deepEqual(
    others.filter((event) => isHttpEvent(event)),
    [],
  );
});
