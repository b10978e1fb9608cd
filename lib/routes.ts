import type { Paths, Transport } from "./configuration/options.ts";
import { MayflyError } from "./errors.ts";
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

const HEALTH = /^\/(?:health|healthz|ping)\/?$/;
const SERVERS = /^\/servers\/?$/;
const NAMED = /^\/servers\/([^/]+)\/(mcp|sse|messages)\/?$/;

/**
 * Makes the table of routes. What is not served here is a 404 that says so.
 * @returns a function that throws ROUTE_NOT_FOUND, ADAPTER_ONLY, TRANSPORT_NOT_SERVED
 */
export function createRouter(transports: readonly Transport[], paths: Required<Paths>): Router {
  const transportOf = { mcp: "mcp", sse: "sse", messages: "sse" } as const;
  return ({ pathname }) => {
    if (HEALTH.test(pathname)) return { kind: "health" };
    if (SERVERS.test(pathname)) return { kind: "servers" };
    const { kind, name } = namedFirst(pathname) ?? below(paths, pathname);
    const transport = transportOf[kind];
    if (!transports.includes(transport)) throw notServed(transport, paths);
    if (kind === "messages") return { kind };
    const server = decoded(name);
    return kind === "mcp"
      ? { kind, server }
      : { kind, server, endpoint: relative(pathname, paths.messages || "/") };
  };
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
function below(paths: Required<Paths>, pathname: string): Found {
  const kinds = (["mcp", "sse", "messages"] as const).toSorted((a, b) => paths[b].length - paths[a].length);
  for (const kind of kinds) {
    const rest = pathname.startsWith(paths[kind]) ? pathname.slice(paths[kind].length) : "//";
    const match = /^(?:\/([^/]+))?\/?$/.exec(rest);
    if (match) return { kind, name: match[1] };
  }
  throw new MayflyError("ROUTE_NOT_FOUND");
}

/** A name that is not encoded as a URL wants it is the name of no server. */
function decoded(name: string | undefined): string | undefined {
  try {
    return name && decodeURIComponent(name);
  } catch {
    return name;
  }
}
