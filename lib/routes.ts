import { MayflyError } from "./errors.ts";

/** Where a request goes. */
export type Route =
  | { readonly kind: "mcp"; readonly server: string | undefined }
  | { readonly kind: "health" };

const MCP = /^\/mcp(?:\/([^/]+))?\/?$/;
const NAMED_MCP = /^\/servers\/([^/]+)\/mcp\/?$/;
const HEALTH = /^\/(?:health|healthz|ping)\/?$/;
const HTTP_SSE = /^\/(?:servers\/[^/]+\/)?(?:sse(?:\/[^/]+)?|messages)\/?$/;

/** @throws ROUTE_NOT_FOUND, ADAPTER_ONLY */
export function routeOf({ pathname }: URL): Route {
  if (HEALTH.test(pathname)) return { kind: "health" };
  const match = MCP.exec(pathname) ?? NAMED_MCP.exec(pathname);
  if (match) return { kind: "mcp", server: match[1] };
  throw new MayflyError(HTTP_SSE.test(pathname) ? "ADAPTER_ONLY" : "ROUTE_NOT_FOUND");
}
