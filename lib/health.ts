import { admitKey } from "./auth.ts";
import { MayflyError, toMayflyError } from "./errors.ts";
import type { Host } from "./host.ts";
import type { IncomingRequest } from "./incoming.ts";
import { isObject } from "./jsonrpc.ts";
import { refuseMethod } from "./methods.ts";
import { isHealth } from "./routes.ts";
import { probe } from "./run.ts";
import type { Caller } from "./run.ts";

/**
 * Whether it asks what may be asked under any name: balancers call by address. A page that made its own name point here
 * learns that a host is there, which a refusal would tell as well.
 */
export function isProbe({ method }: IncomingRequest, url: URL): boolean {
  return isHealth(url) && !isDeep(url) && READING.includes(method);
}

const READING = ["GET", "HEAD"];

function isDeep({ searchParams }: URL): boolean {
  return searchParams.get("deep") === "1";
}

/**
 * What a load balancer asks: whether this host answers. It needs no key, so it says nothing about the servers;
 * with `?deep=1`, which does, every server is started: 200 if all answer the handshake, 503 if one does not.
 * @throws METHOD_NOT_ALLOWED, and what {@link admitKey} throws
 */
export async function answerHealth(
  caller: Pick<Caller, "request" | "context">,
  url: URL,
  host: Host,
): Promise<Response> {
  const { request } = caller;
  refuseMethod(request, READING);
  if (!isDeep(url)) return json({ status: "ok" }, 200);
  const principal = await admitKey(request, url, host.rules);
  // An image on any page can make a browser send this to a local host that needs no key.
  if (request.headers.get("sec-fetch-site") === "cross-site") throw new MayflyError("ORIGIN_NOT_ALLOWED");
  // One after the other: a check of many servers must not take the places of real requests.
  const servers: Record<string, ServerHealth> = {};
  for (const name of host.servers.names) servers[name] = await check(name, { ...caller, principal }, host);
  const failed = Object.values(servers).some(({ status }) => status !== "ok");
  const body = { status: failed ? "failed" : "ok", servers };
  return json(body, failed ? 503 : 200);
}

interface ServerHealth {
  readonly status: "ok" | "failed";
  readonly reason?: string;
  readonly message?: string;
}

async function check(name: string, caller: Omit<Caller, "stream">, host: Host): Promise<ServerHealth> {
  try {
    const reply = await probe(host.servers.find(name), caller, host);
    return reply?.kind === "response" && reply.outcome !== "ok" ? failureIn(reply.text) : { status: "ok" };
  } catch (error) {
    const { reason = "internal", message } = toMayflyError(error);
    return { status: "failed", reason, message };
  }
}

function failureIn(text: string): ServerHealth {
  const { error } = JSON.parse(text) as { error: unknown };
  const { message, data } = isObject(error) ? error : {};
  const reason = isObject(data) ? data["reason"] : undefined;
  return {
    status: "failed",
    reason: typeof reason === "string" ? reason : "protocol",
    message: String(message),
  };
}

function json(body: object, status: number): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
}
