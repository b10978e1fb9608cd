import type { Implementation } from "@modelcontextprotocol/sdk/types.js";

import { isObject } from "../jsonrpc.ts";
import { deleteMember, editMember, elements, isObjectText, memberText, setMember } from "../rawjson.ts";
import { MODERN_VERSIONS } from "../revisions.ts";
import { advertisedText, deleteMeta, metaText, setMeta } from "./capabilities.ts";
import type { Advertised } from "./capabilities.ts";
import { isImplementation } from "./envelope.ts";
import { CACHEABLE, META } from "./names.ts";
import { needsWrapping, wrapSchema } from "./output-schema.ts";
import { editTools } from "./tool-list.ts";

/** Results on their way to a client of the other era, as text. Pure: nothing but what is named here changes. */

/** What a server that knows no caching hints is given. Source: 2026-07-28/server/utilities/caching. */
export interface CachingHints {
  /** Milliseconds. */
  readonly ttlMs: number;
  readonly cacheScope: "public" | "private";
}

/** What a legacy server's result lacks for a modern client. */
export interface ModernDetails {
  readonly method: string;
  /** As in the InitializeResult. */
  readonly serverInfo: string | undefined;
  readonly caching: CachingHints;
}

/** A legacy server's result for a modern client: with its type, its server, and caching hints (2026-07-28/basic). */
export function toModernResult(result: string, { method, serverInfo, caching }: ModernDetails): string {
  if (!isObjectText(result)) return result;
  const typed = setMember(result, "resultType", '"complete"');
  const hinted = CACHEABLE.has(method) ? withCachingHints(typed, caching) : typed;
  // 2025-11-25 tells by `execution` whether a tool runs as a task, which no modern client may ask for.
  const listed = method === "tools/list" ? editTools(hinted, withoutExecution) : hinted;
  return withServerInfo(listed, serverInfo);
}

function withoutExecution(tool: string): string {
  return isObjectText(tool) ? deleteMember(tool, "execution") : tool;
}

/** A server's own hints count where it gives any. */
function withCachingHints(result: string, { ttlMs, cacheScope }: CachingHints): string {
  const isTtl = /^\d+$/.test(memberText(result, "ttlMs") ?? "");
  const isScope = /^"(?:public|private)"$/.test(memberText(result, "cacheScope") ?? "");
  const timed = isTtl ? result : setMember(result, "ttlMs", String(ttlMs));
  return isScope ? timed : setMember(timed, "cacheScope", JSON.stringify(cacheScope));
}

function withServerInfo(result: string, serverInfo: string | undefined): string {
  const own = metaText(result, META.serverInfo);
  return serverInfo === undefined || own !== undefined
    ? result
    : setMeta(result, META.serverInfo, serverInfo);
}

/** A legacy server's InitializeResult as DiscoverResult. Source: 2026-07-28/server/discover. */
export function toDiscoverResult(initialized: string, caching: CachingHints, advertised: Advertised): string {
  const bare = ["protocolVersion", "serverInfo"].reduce(deleteMember, objectText(initialized));
  const versioned = setMember(bare, "supportedVersions", JSON.stringify(MODERN_VERSIONS));
  const serverInfo = memberText(objectText(initialized), "serverInfo");
  const details = { method: "server/discover", serverInfo, caching };
  return advertisedResult(withCapabilities(toModernResult(versioned, details)), advertised);
}

/** Both kinds of clients need them, and a server that has none may have left them out. */
function withCapabilities(result: string): string {
  return memberText(result, "capabilities") === undefined ? setMember(result, "capabilities", "{}") : result;
}

/** A modern server's DiscoverResult, with the revisions and the capabilities that are served here. */
export function discoverResult(result: string, advertised: Advertised): string {
  const versioned = setMember(objectText(result), "supportedVersions", JSON.stringify(MODERN_VERSIONS));
  return advertisedResult(versioned, advertised);
}

/** InitializeResult or DiscoverResult, without the capabilities that outlive one request. */
export function advertisedResult(result: string, advertised: Advertised): string {
  if (!isObjectText(result)) return result;
  return editMember(result, "capabilities", (capabilities) => advertisedText(capabilities, advertised));
}

const UNKNOWN: Implementation = { name: "unknown", version: "0" };

/** A modern server's DiscoverResult as InitializeResult. Source: 2025-11-25/basic/lifecycle, Initialization. */
export function toInitializeResult(
  discovered: string,
  protocolVersion: string,
  advertised: Advertised,
): string {
  const said = metaText(objectText(discovered), META.serverInfo);
  const serverInfo =
    said !== undefined && isImplementation(JSON.parse(said)) ? said : JSON.stringify(UNKNOWN);
  const bare = toLegacyResult(
    deleteMember(objectText(discovered), "supportedVersions"),
    "server/discover",
    false,
  );
  const versioned = setMember(bare, "protocolVersion", JSON.stringify(protocolVersion));
  const named = setMember(versioned, "serverInfo", serverInfo);
  return advertisedResult(withCapabilities(named), advertised);
}

/**
 * A modern server's result for a legacy client, who knows no result types and no hints, and of structured output
 * only objects (2025-11-25/server/tools, Structured Content).
 * @param wrapped whether the tool's output schema was wrapped by {@link wrapSchema}
 */
export function toLegacyResult(result: string, method: string, wrapped: boolean): string {
  if (!isObjectText(result)) return result;
  const hints = CACHEABLE.has(method) ? ["resultType", "ttlMs", "cacheScope"] : ["resultType"];
  const bare = deleteMeta(hints.reduce(deleteMember, result), [META.serverInfo]);
  if (method === "tools/list") return editTools(bare, withObjectOutput);
  return method === "tools/call" ? withObjectContent(bare, wrapped) : bare;
}

function withObjectOutput(tool: string): string {
  if (!isObjectText(tool)) return tool;
  return editMember(tool, "outputSchema", (schema) =>
    needsWrapping(JSON.parse(schema)) ? wrapSchema(schema) : schema,
  );
}

function withObjectContent(result: string, wrapped: boolean): string {
  const content = memberText(result, "structuredContent");
  if (content === undefined || (!wrapped && isObjectText(content))) return result;
  return withText(setMember(result, "structuredContent", `{"result":${content}}`), content);
}

/** Clients without structured output read the text. Source: 2025-11-25/server/tools, Structured Content. */
function withText(result: string, content: string): string {
  const blocks = memberText(result, "content") ?? "[]";
  const parsed: unknown = JSON.parse(blocks);
  if (!Array.isArray(parsed) || parsed.some((block) => isObject(block) && block["type"] === "text")) {
    return result;
  }
  const text = `{"type":"text","text":${JSON.stringify(content)}}`;
  return setMember(result, "content", `[${[...elements(blocks), text].join(",")}]`);
}

/** What a modern server needs before it can answer. Source: 2026-07-28/basic/patterns/mrtr, InputRequiredResult. */
export function inputRequiredResult(
  inputRequests: readonly (readonly [key: string, text: string])[],
  requestState: string | undefined,
  serverInfo: string | undefined,
): string {
  const requests = inputRequests.map(([key, text]) => `${JSON.stringify(key)}:${text}`);
  const state = requestState === undefined ? "" : `,"requestState":${JSON.stringify(requestState)}`;
  const result = `{"resultType":"input_required","inputRequests":{${requests.join(",")}}${state}}`;
  return withServerInfo(result, serverInfo);
}

/** A server that answers anything else has said nothing about itself. */
function objectText(result: string): string {
  return isObjectText(result) ? result : "{}";
}

/** What kind of result it is; absent means complete (2026-07-28/basic, ResultType). */
export function resultTypeOf(result: unknown): unknown {
  return isObject(result) ? (result["resultType"] ?? "complete") : "complete";
}
