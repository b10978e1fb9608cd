import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { toLegacyError, toModernError } from "../../lib/eras/error-up.ts";
import { META } from "../../lib/eras/names.ts";
import {
  toInitializeRequest,
  toLegacyRequest,
  toModernRequest,
  toModernServer,
} from "../../lib/eras/request-down.ts";
import {
  advertisedResult,
  discoverResult,
  toDiscoverResult,
  toInitializeResult,
  toLegacyResult,
  toModernResult,
} from "../../lib/eras/result-up.ts";
import { always, objects, objectsWith, pairs, textAt, values } from "../support/texts.ts";

const CLIENT = { clientInfo: { name: "é", version: "1" }, capabilities: { experimental: { x: 1 } } };
const DETAILS = {
  method: "tools/list",
  serverInfo: '{"name":"s","version":"1"}',
  caching: { ttlMs: 7, cacheScope: "private" },
} as const;
const ADVERTISED = { changes: true };

type Translate = (text: string) => string;

const REQUESTS: Readonly<Record<string, Translate>> = {
  toLegacyRequest: (text) => toLegacyRequest(text, "tools/call"),
  toModernRequest: (text) => toModernRequest(text, CLIENT),
  toModernServer: (text) => toModernServer(text, false),
  toInitializeRequest: (text) => toInitializeRequest(text, "2025-11-25", true),
};
const RESULTS: Readonly<Record<string, Translate>> = {
  toModernResult: (text) => toModernResult(text, DETAILS),
  toLegacyResult: (text) => toLegacyResult(text, "tools/list", true),
  toDiscoverResult: (text) => toDiscoverResult(text, DETAILS.caching, ADVERTISED),
  discoverResult: (text) => discoverResult(text, ADVERTISED),
  toInitializeResult: (text) => toInitializeResult(text, "2025-11-25", ADVERTISED),
  advertisedResult: (text) => advertisedResult(text, ADVERTISED),
};
const ERRORS: Readonly<Record<string, Translate>> = { toLegacyError, toModernError };

const metas = fc.oneof(
  objectsWith(Object.fromEntries(Object.values(META).map((key) => [key, fc.oneof(objects, values)]))),
  values,
);
const parameters = fc.oneof(
  objectsWith({
    _meta: metas,
    capabilities: objects,
    task: values,
    requestState: values,
    inputResponses: values,
  }),
  values,
);
const requests = objectsWith({
  jsonrpc: fc.constant('"2.0"'),
  id: values,
  method: values,
  params: parameters,
});
const results = fc.oneof(
  objectsWith({
    _meta: metas,
    tools: values,
    capabilities: objects,
    structuredContent: values,
    content: values,
  }),
  values,
);
const errors = fc.oneof(objectsWith({ code: values, message: values, data: values }), values);

const ALL: readonly (readonly [name: string, translate: Translate, texts: fc.Arbitrary<string>])[] = [
  ...Object.entries(REQUESTS).map(([name, translate]) => [name, translate, requests] as const),
  ...Object.entries(RESULTS).map(([name, translate]) => [name, translate, results] as const),
  ...Object.entries(ERRORS).map(([name, translate]) => [name, translate, errors] as const),
];

/** What a translation may add of its own: an envelope, the name of a server. */
const MAX_ADDED = 1000;
/** Each tool of a list may get a schema around its own. */
const MAX_FACTOR = 3;

describe("whatever a message holds", () => {
  for (const [name, translate, texts] of ALL) {
    test(`${name} gives JSON that is not much longer`, () => {
      always(texts, (text) => {
        const translated = translate(text);
        JSON.parse(translated);
        assert.ok(
          translated.length <= MAX_FACTOR * text.length + MAX_ADDED,
          `${text.length} to ${translated.length}`,
        );
      });
    });
  }

  for (const [name, translate] of Object.entries(REQUESTS)) {
    test(`${name} leaves the id, the method and what nobody knows as they were written`, () => {
      always(requests, (text) => {
        const others = (all: string): unknown => pairs(all).filter(([key]) => key !== "params");
        assert.deepEqual(others(translate(text)), others(text));
      });
    });
  }
});

describe("a translation that is done again changes nothing more:", () => {
  for (const name of ["toLegacyRequest", "toModernRequest", "toModernServer", "toInitializeRequest"]) {
    test(name, () => {
      always(requests, (text) => {
        const once = REQUESTS[name]?.(text) ?? "";
        assert.equal(REQUESTS[name]?.(once), once);
      });
    });
  }

  for (const name of ["toModernResult", "discoverResult", "advertisedResult"]) {
    test(name, () => {
      always(results, (text) => {
        const once = RESULTS[name]?.(text) ?? "";
        assert.equal(RESULTS[name]?.(once), once);
      });
    });
  }

  for (const [name, translate] of Object.entries(ERRORS)) {
    test(name, () => {
      always(errors, (text) => assert.equal(translate(translate(text)), translate(text)));
    });
  }
});

describe("there and back", () => {
  /** Without what belongs to the era of the other. */
  const plain = objectsWith({
    jsonrpc: fc.constant('"2.0"'),
    id: values,
    params: objectsWith({ arguments: values, name: values }).filter(
      (text) =>
        !pairs(text).some(([key]) => ["_meta", "task", "requestState", "inputResponses"].includes(key)),
    ),
  }).filter((text) => textAt(text, "params") !== undefined);

  test("a legacy request is what it was", () => {
    always(plain, (text) => {
      const back = toLegacyRequest(toModernRequest(text, CLIENT), "tools/call");
      assert.deepEqual(JSON.parse(back), JSON.parse(text));
      for (const key of ["arguments", "name"]) {
        const at = (all: string): unknown => textAt(textAt(all, "params") ?? "{}", key);
        assert.equal(at(back), at(text));
      }
    });
  });
});
