import type { Paths, Transport } from "./configuration/options.ts";
import { MayflyError } from "./errors.ts";
import { shortened } from "./logger.ts";
import type { Elsewhere } from "./methods.ts";
import { relative } from "./paths.ts";

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

const HEALTH = /^\/(?:health|healthz|ping|status)\/?$/;
const SERVERS = /^\/servers\/?$/;
const NAMED = /^\/servers\/([^/]+)\/(mcp|sse|messages)\/?$/;

export function isHealth({ pathname }: URL): boolean {
  return HEALTH.test(pathname);
}

const TRANSPORT_NAMES = { mcp: "streamable HTTP", sse: "HTTP+SSE" } as const;

/** Where the other transport is, for a caller who came with its method. @returns undefined if it is not served */
export function elsewhere(
  { kind, server }: Extract<Route, { kind: Transport }>,
  transports: readonly Transport[],
  paths: Required<Paths>,
): Elsewhere | undefined {
  const other = kind === "mcp" ? "sse" : "mcp";
  if (!transports.includes(other)) return undefined;
  const name = server === undefined ? "" : `/${shortened(encodeURIComponent(server))}`;
  const path = paths[other] + name || "/";
  return { method: other === "mcp" ? "POST" : "GET", transport: TRANSPORT_NAMES[other], path };
}

/**
 * Makes the table of routes. What is not served here is a 404 that says so.
 * @returns a function that throws ROUTE_NOT_FOUND, ADAPTER_ONLY, TRANSPORT_NOT_SERVED
 */
export function createRouter(transports: readonly Transport[], paths: Required<Paths>): Router {
  const transportOf = { mcp: "mcp", sse: "sse", messages: "sse" } as const;
  const here = pathsServed(transports, paths);
  return (url) => {
    const { pathname } = url;
    if (isHealth(url)) return { kind: "health" };
    if (SERVERS.test(pathname)) return { kind: "servers" };
    const { kind, name } = namedFirst(pathname) ?? below(paths, pathname) ?? nothingHere(here);
    const transport = transportOf[kind];
    if (!transports.includes(transport)) throw notServed(transport, paths);
    if (kind === "messages") return { kind };
    const server = decoded(name);
    return kind === "mcp"
      ? { kind, server }
      : { kind, server, endpoint: relative(pathname, paths.messages || "/") };
  };
}

/** What everybody may know: servers are no part of it. */
function pathsServed(transports: readonly Transport[], paths: Required<Paths>): string {
  const places = transports.map((transport) => `${paths[transport] || "/"} (${TRANSPORT_NAMES[transport]})`);
  return [...places, "/servers", "/health"].join(", ");
}

function nothingHere(paths: string): never {
  throw new MayflyError("ROUTE_NOT_FOUND", { values: { paths } });
}

function notServed(transport: Transport, { mcp, sse }: Required<Paths>): MayflyError {
  return transport === "sse"
    ? new MayflyError("ADAPTER_ONLY", { values: { path: mcp || "/" } })
    : new MayflyError("TRANSPORT_NOT_SERVED", { values: { path: sse || "/" } });
}

interface Found {
  readonly kind: keyof Paths;
  readonly name: string | undefined;
}

function namedFirst(pathname: string): Found | undefined {
  const [, name, kind] = NAMED.exec(pathname) ?? [];
  return kind === undefined ? undefined : { name, kind: kind as keyof Paths };
}

/** Whether the path is one of those, or has one more name behind it. Where one path is below another, it comes first. */
function below(paths: Required<Paths>, pathname: string): Found | undefined {
  const kinds = (["mcp", "sse", "messages"] as const).toSorted((a, b) => paths[b].length - paths[a].length);
  for (const kind of kinds) {
    const rest = pathname.startsWith(paths[kind]) ? pathname.slice(paths[kind].length) : "//";
    const match = /^(?:\/([^/]+))?\/?$/.exec(rest);
    if (match) return { kind, name: match[1] };
  }
  return undefined;
}

/** A name that is not encoded as a URL wants it is the name of no server. */
function decoded(name: string | undefined): string | undefined {
  try {
    return name && decodeURIComponent(name);
  } catch {
    return name;
  }
}
