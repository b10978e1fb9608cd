import { ConfigurationError } from "./configuration/error.ts";
import type { Paths } from "./configuration/options.ts";

/** Paths of our own, which no transport can have. */
const TAKEN = new Set(["/health", "/healthz", "/ping", "/status", "/servers"]);

/**
 * The paths without those that are left out, without a slash at their end, and written as a URL has them.
 * @throws ConfigurationError for a path that no request can have, or that is not the only one of its kind
 */
export function completePaths({
  mcp = "/mcp",
  sse = "/sse",
  messages = "/messages",
}: Paths = {}): Required<Paths> {
  const paths = {
    mcp: asInUrl("mcp", mcp),
    sse: asInUrl("sse", sse),
    messages: asInUrl("messages", messages),
  };
  const names = ["mcp", "sse", "messages"] as const;
  for (const [index, name] of names.entries()) {
    const same = names.slice(0, index).find((other) => paths[other] === paths[name]);
    if (same !== undefined) throw new ConfigurationError(`paths.${name}: is the path of ${same} already`);
    if (TAKEN.has(paths[name])) throw new ConfigurationError(`paths.${name}: ${paths[name]} is Mayfly's own`);
  }
  return paths;
}

function asInUrl(name: keyof Paths, path: string): string {
  const reason = reasonAgainst(path);
  if (reason !== undefined) throw new ConfigurationError(`paths.${name}: ${reason}, found "${path}"`);
  return new URL(`http://localhost${path}`).pathname.replace(/\/$/, "");
}

function reasonAgainst(path: string): string | undefined {
  if (!path.startsWith("/")) return "expected a slash at the beginning";
  if (/[?#\\]/.test(path)) return "expected a path without ?, # and backslash";
  const steps = path.slice(1).split("/");
  if (steps.some((step) => /^(?:\.|%2e){1,2}$/i.test(step))) return "expected a path without . and ..";
  return steps.slice(0, -1).includes("") ? "expected a path without //" : undefined;
}

/** The reference that leads from one path to another (RFC 3986, 4.2). It holds where a proxy cuts a prefix off. */
export function relative(from: string, to: string): string {
  const [here, there] = [from.split("/").slice(0, -1), to.split("/")];
  let same = 0;
  while (same < here.length && same < there.length - 1 && here[same] === there[same]) same += 1;
  const steps = [...here.slice(same).map(() => ".."), ...there.slice(same)];
  const [first = ""] = steps;
  // Nothing would be the same document, and a colon in the first step would make it a scheme.
  return first === "" || first.includes(":") ? `./${steps.join("/")}` : steps.join("/");
}
