import { admitHost, admitKey, admitOrigin } from "./auth.ts";
import type { AccessRules } from "./auth.ts";
import { readBody } from "./body.ts";
import { refuseMethod } from "./methods.ts";
import { elsewhere } from "./routes.ts";
import type { Route } from "./routes.ts";
import { checkReconfiguration } from "./configuration/check-options.ts";
import type { HandlerOptions, McpConfig } from "./configuration/options.ts";
import type { Page } from "./cors.ts";
import { MayflyError, toMayflyError, withId } from "./errors.ts";
import { answerHealth, isProbe } from "./health.ts";
import { createHost } from "./host.ts";
import type { Host } from "./host.ts";
import type { IncomingRequest, RequestContext } from "./incoming.ts";
import { shortened } from "./logger.ts";
import { ClientGone } from "./lifetime.ts";
import { requestedEnvironment } from "./parameters.ts";
import { classify, messagesIn } from "./request/classify.ts";
import type { Incoming } from "./request/classify.ts";
import { refuseHidden } from "./request/hidden-tools.ts";
import { accepted, errorResponse, respond, unreadResponse } from "./response.ts";
import type { Opening, Sessions } from "./sessions/index.ts";
import { answerServers } from "./server-list.ts";
import { runIncoming } from "./run.ts";
import type { Caller } from "./run.ts";
import { mask } from "./secrets.ts";
import { secured } from "./security-headers.ts";
import { withEnvironment } from "./servers.ts";
import type { Server } from "./servers.ts";

/** A request, before it is known who sends it. */
type Source = Pick<Caller, "request" | "context">;

/** Answers HTTP requests with stdio servers. Neither function needs `this`. */
export interface Handler {
  /** Never rejects: whatever goes wrong is an answer. */
  readonly fetch: (request: IncomingRequest, context?: RequestContext) => Promise<Response>;
  /**
   * Takes over another configuration of servers. Requests that run go on with the server that they have, a server whose
   * entry is the same stays as it is, and one that is left out is a 404 from now on. The other options stay: to give one again is fine, to change it is an error.
   * @throws ConfigurationError for one that cannot work, and changes nothing
   */
  readonly reconfigure: (config: McpConfig) => void;
  /**
   * Refuses new requests, ends subscriptions gracefully, and processes that wait for an answer: before `close`, to let
   * the others finish.
   */
  readonly drain: () => void;
  /** Refuses new requests, answers the running ones with an error, and resolves when no process is left. */
  readonly close: () => Promise<void>;
  /** Kills every process at once, for a host that cannot wait. */
  readonly kill: () => void;
}

/**
 * A handler with sessions or without: a function has no use for them, and starts sooner without their code.
 * @throws ConfigurationError
 */
export function createHandlerOver(
  options: HandlerOptions,
  createSessions: (host: Host) => Sessions | undefined,
): Handler {
  const host = createHost(options);
  const sessions = createSessions(host);
  return {
    fetch: async (request, context = {}) => {
      const page = await host.cors.pageOf(request);
      const response = await answer({ request, context }, page, host, sessions).catch((error: unknown) =>
        refuse(error, request, host),
      );
      return secured(host.cors.expose(response, page));
    },
    reconfigure: (config) => host.servers.replace(checkReconfiguration(config, options)),
    drain: () => host.drain.abort(),
    close: async () => {
      host.drain.abort();
      host.shutdown.abort();
      await host.processes.close();
    },
    kill: () => host.processes.kill(),
  };
}

/** One request on one page. */
async function answer(
  source: Source,
  page: Page,
  host: Host,
  sessions: Sessions | undefined,
): Promise<Response> {
  const { request } = source;
  const url = new URL(request.url);
  if (!isProbe(request, url)) admitHost(request, url, host.rules);
  admitOrigin(page, host.rules);
  if (request.method === "OPTIONS") return host.cors.preflight(request, page);
  const route = host.routeOf(url);
  refuseWhileStopping(request, route, host);
  if (route.kind === "health") return answerHealth(source, url, host);
  // What its client may do was decided when its stream was opened.
  if (route.kind === "messages") return need(sessions).httpSse.take(request, url);
  const principal = await admitKey(request, url, host.rules);
  if (route.kind === "servers") return answerServers(request, host);
  if (route.kind === "sse") return openStream({ ...source, principal, route }, url, host, need(sessions));
  return answerMcp({ ...source, principal, route, name: route.server, url }, host, sessions);
}

/** The routes that need them are not served without them. */
function need(sessions: Sessions | undefined): Sessions {
  if (!sessions) throw new MayflyError("INTERNAL");
  return sessions;
}

/** Another address may be asked; but what runs here may need more messages of its client, who may come back for it. */
function refuseWhileStopping({ method }: IncomingRequest, { kind }: Route, { drain }: Host): void {
  const isForWhatRuns = method === "POST" || kind === "mcp";
  if (drain.signal.aborted && !isForWhatRuns) throw new MayflyError("SHUTTING_DOWN");
}

function openStream(
  opening: Omit<Opening, "server" | "url">,
  url: URL,
  host: Host,
  { httpSse }: Sessions,
): Response {
  const { request, route } = opening;
  refuseMethod(request, ["GET"], elsewhere(route, host.transports, host.paths));
  return httpSse.open({ ...opening, url, server: host.servers.find(route.server, "sse") });
}

/** A request to the path of a server, and who sends it. */
interface Call extends Source {
  readonly principal: string;
  readonly route: Extract<Route, { kind: "mcp" }>;
  readonly name: string | undefined;
  readonly url: URL;
}

async function answerMcp(call: Call, host: Host, sessions: Sessions | undefined): Promise<Response> {
  const { request, route } = call;
  const streamable = host.sessions === "none" ? undefined : sessions?.streamable;
  const served = streamable ? ["GET", "POST", "DELETE"] : ["POST"];
  refuseMethod(request, served, elsewhere(route, host.transports, host.paths));
  if (streamable && request.method === "GET") return streamable.get(call);
  if (streamable && request.method === "DELETE") return streamable.end(call);
  const { text, stream } = await readBody(request, host.limits, host.bodyMemory.open(call.principal));
  const posted = messagesIn(text);
  const inSession = await streamable?.post(call, posted, stream);
  if (inSession) return inSession;
  const incoming = classify(posted, request.headers, host);
  try {
    if (host.drain.signal.aborted && asksForSomething(incoming)) throw new MayflyError("SHUTTING_DOWN");
    const server = serverFor(call, host);
    const rest = refuseHidden(incoming, server, host.logger);
    return await forward(rest, server, { ...call, stream }, host);
  } catch (error) {
    throw withId(error, incoming.id);
  }
}

/** The server that the path names, with the variables that this request brings. */
function serverFor({ request, name, url }: Call, { servers, rules }: Host): Server {
  const server = servers.find(name);
  return withEnvironment(server, requestedEnvironment(request, url, server, rules));
}

function asksForSomething({ requests, answers }: Incoming): boolean {
  return requests.length + answers.length > 0;
}

async function forward(incoming: Incoming, server: Server, caller: Caller, host: Host): Promise<Response> {
  if (!asksForSomething(incoming)) {
    return note(incoming, caller.principal, host);
  }
  const { replies, lifetime } = await runIncoming(incoming, server, caller, host);
  const sessionToken = host.sessionToken ? incoming.sessionToken : undefined;
  const { stream, context } = caller;
  const form = { ...host.form, batch: incoming.batch, stream, sessionToken, lifetime };
  return respond(replies, { ...form, unsent: context.unsent });
}

/** What comes without a question of its own: a client's answer to a server, or word that it waits no longer. */
function note(
  { session, cancelled, response }: Incoming,
  principal: string,
  { cancellations, relays }: Host,
): Response {
  if (response && !relays.deliver(principal, response)) throw new MayflyError("RESPONSE_NOT_EXPECTED");
  if (session !== undefined && cancelled !== undefined) cancellations.cancel(session, cancelled);
  return accepted();
}

function refuse(error: unknown, { method, url }: IncomingRequest, { logger, rules }: Host): Response {
  if (error instanceof ClientGone) return unreadResponse();
  const failure = toMayflyError(error);
  if (failure.code === "INTERNAL") logger.error({ err: error }, failure.message);
  else {
    const path = pathToLog(new URL(url), rules);
    logger.info({ status: failure.status, code: failure.code, method, path, ...failure.log }, "refused");
  }
  return errorResponse(failure);
}

/** Without parameters, which may hold secrets: also those of a client that has escaped the question mark. */
function pathToLog({ pathname }: URL, { authKeys }: AccessRules): string {
  const path = pathname.replace(/%3f.*$/i, "%3F…");
  return shortened(mask(path, [...authKeys, ...authKeys.map(encodeURIComponent)]));
}
