import type { Paths, Transport } from "./configuration/options.ts";
import { MayflyError } from "./errors.ts";

/** Where a request goes. */
export type Route =
  | { readonly kind: "mcp"; readonly server: string | undefined }
  | {
      readonly kind: "sse";
      readonly server: string | undefined;
      /** Where its client posts, relative to the path that it asked for: a proxy may have cut a prefix off. */
      readonly endpoint: string;
    }
  | { readonly kind: "messages" }
  | { readonly kind: "servers" }
  | { readonly kind: "health" };

/** Finds the route of a URL. */
export type Router = (url: URL) => Route;

const HEALTH = /^\/(?:health|healthz|ping)\/?$/;
const SERVERS = /^\/servers\/?$/;
const NAMED = /^\/servers\/([^/]+)\/(mcp|sse|messages)\/?$/;

/** The paths without those that are left out, and without a slash at their end. */
export function completePaths({
  mcp = "/mcp",
  sse = "/sse",
  messages = "/messages",
}: Paths = {}): Required<Paths> {
  const [first = "", second = "", third = ""] = [mcp, sse, messages].map((path) => path.replace(/\/$/, ""));
  return { mcp: first, sse: second, messages: third };
}

/**
 * Makes the table of routes. What is not served here is a 404 that says so.
 * @returns a function that throws ROUTE_NOT_FOUND, ADAPTER_ONLY, TRANSPORT_NOT_SERVED
 */
export function createRouter(transports: readonly Transport[], paths: Required<Paths>): Router {
  const { mcp, sse, messages } = paths;
  const served = (transport: Transport, route: Route): Route => {
    if (transports.includes(transport)) return route;
    throw new MayflyError(transport === "sse" ? "ADAPTER_ONLY" : "TRANSPORT_NOT_SERVED");
  };
  return ({ pathname }) => {
    if (HEALTH.test(pathname)) return { kind: "health" };
    if (SERVERS.test(pathname)) return { kind: "servers" };
    const [, name, transport] = NAMED.exec(pathname) ?? [];
    const streams = transport === "mcp" ? { name } : below(mcp, pathname);
    if (streams) return served("mcp", { kind: "mcp", server: streams.name });
    const events = transport === "sse" ? { name } : below(sse, pathname);
    const endpoint = relative(pathname, messages);
    if (events) return served("sse", { kind: "sse", server: events.name, endpoint });
    if (transport === "messages" || below(messages, pathname)) return served("sse", { kind: "messages" });
    throw new MayflyError("ROUTE_NOT_FOUND");
  };
}

/** Whether the path is that one, or has one more name behind it. */
function below(path: string, pathname: string): { readonly name: string | undefined } | undefined {
  const rest = pathname.startsWith(path) ? pathname.slice(path.length) : "//";
  const match = /^(?:\/([^/]+))?\/?$/.exec(rest);
  return match ? { name: match[1] } : undefined;
}

/** The reference that leads from one path to another (RFC 3986, 4.2). */
function relative(from: string, to: string): string {
  const [here, there] = [from.split("/").slice(0, -1), to.split("/")];
  let same = 0;
  while (same < here.length && same < there.length - 1 && here[same] === there[same]) same += 1;
  return [...here.slice(same).map(() => ".."), ...there.slice(same)].join("/");
}
