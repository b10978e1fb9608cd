import type { LambdaContext } from "../../lib/adapters/lambda.ts";
import type { HttpEvent } from "../../lib/adapters/lambda/platform.ts";

/** An HTTP request, before a platform makes an event of it. */
export interface Sent {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string | undefined;
}

/** What a client gives to `fetch`, as it is sent. */
export function sent(path: string, init: RequestInit = {}): Sent {
  const { method, headers } = new Request(`https://${HOST}${path}`, init);
  if (typeof init.body === "string") return { method, path, headers, body: init.body };
  return { method, path, headers, body: undefined };
}

const HOST = "abcdefghijklmnop.lambda-url.eu-central-1.on.aws";

/** As a function URL makes it, or an HTTP API: payload format 2.0. Bodies of some types come in base64. */
export function eventV2({ method, path, headers, body }: Sent, base64 = false): HttpEvent {
  const [rawPath = "/", rawQueryString = ""] = path.split("?");
  const { cookie, ...single } = Object.fromEntries(headers);
  const event = {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    ...(cookie !== undefined && { cookies: cookie.split("; ") }),
    headers: { ...single, host: HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443" },
    requestContext: { domainName: HOST, stage: "$default", http: { method, path: rawPath } },
    ...bodyOf(body, base64),
  };
  return event;
}

/** As a REST API makes it: payload format 1.0. */
export function eventV1({ method, path, headers, body }: Sent, base64 = false): HttpEvent {
  const [pathname = "/", query] = path.split("?");
  const parameters = query === undefined ? null : manyOf([...new URLSearchParams(query)]);
  const all = [...headers, ["Host", HOST], ["X-Forwarded-Proto", "https"]] as [string, string][];
  const event = {
    resource: "/{proxy+}",
    path: pathname,
    httpMethod: method,
    pathParameters: { proxy: pathname.slice(1) },
    headers: Object.fromEntries(all),
    multiValueHeaders: manyOf(all),
    queryStringParameters: parameters && lastOf(parameters),
    multiValueQueryStringParameters: parameters,
    requestContext: { stage: "prod", path: `/prod${pathname}`, domainName: HOST },
    ...bodyOf(body, base64),
  };
  return event;
}

/** As an application load balancer makes it, whose parameters stay encoded. */
export function eventOfBalancer({ method, path, headers, body }: Sent, multiValue: boolean): HttpEvent {
  const [pathname = "/", query = ""] = path.split("?");
  const pairs = query.split("&").flatMap((pair): [string, string][] => {
    const [name = "", value = ""] = pair.split("=");
    return pair === "" ? [] : [[name, value]];
  });
  const all = [...headers, ["host", "internal.example.com"], ["x-forwarded-proto", "http"]] as [
    string,
    string,
  ][];
  const single = { headers: Object.fromEntries(all), queryStringParameters: Object.fromEntries(pairs) };
  const many = { multiValueHeaders: manyOf(all), multiValueQueryStringParameters: manyOf(pairs) };
  const event = {
    requestContext: {
      elb: { targetGroupArn: "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/a/b" },
    },
    httpMethod: method,
    path: pathname,
    ...(multiValue ? many : single),
    ...bodyOf(body, false),
  };
  return event;
}

function bodyOf(body: string | undefined, base64: boolean) {
  if (body === undefined) return { body: null, isBase64Encoded: false };
  return { body: base64 ? Buffer.from(body).toString("base64") : body, isBase64Encoded: base64 };
}

function manyOf(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const many: Record<string, string[]> = {};
  for (const [name, value] of pairs) (many[name] ??= []).push(value);
  return many;
}

function lastOf(many: Readonly<Record<string, readonly string[]>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(many).map(([name, values]) => [name, values.at(-1)]));
}

/** @param tool of AgentCore Gateway */
export function contextOf(remainingMs = 30_000, tool?: string): LambdaContext {
  const end = Date.now() + remainingMs;
  const clientContext = tool === undefined ? undefined : { custom: { bedrockAgentCoreToolName: tool } };
  return { getRemainingTimeInMillis: () => end - Date.now(), clientContext };
}
