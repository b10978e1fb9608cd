export type Id = string | number;
export type Params = Readonly<Record<string, unknown>>;

export interface RequestBody {
  readonly jsonrpc: "2.0";
  readonly id: Id;
  readonly method: string;
  readonly params?: Params;
}

export type NotificationBody = Omit<RequestBody, "id">;

export const JSON_HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
} as const;

export interface CallOptions {
  readonly id?: Id;
  readonly meta?: Params;
}

/** A tools/call. */
export function call(name: string, args: Params = {}, { id = 1, meta }: CallOptions = {}): RequestBody {
  return request("tools/call", { name, arguments: args, ...(meta && { _meta: meta }) }, id);
}

export interface InitializeOptions {
  readonly id?: Id;
  readonly protocolVersion?: string;
  readonly capabilities?: Params;
  readonly clientInfo?: Params;
}

export function initialize(options: InitializeOptions = {}): RequestBody {
  const { id = 0, protocolVersion = "2025-11-25", capabilities = {} } = options;
  const clientInfo = options.clientInfo ?? { name: "test-client", version: "1.0.0" };
  return request("initialize", { protocolVersion, capabilities, clientInfo }, id);
}

export function request(method: string, params?: Params, id: Id = 1): RequestBody {
  return { jsonrpc: "2.0", id, method, ...(params && { params }) };
}

export function notification(method: string, params?: Params): NotificationBody {
  return { jsonrpc: "2.0", method, ...(params && { params }) };
}

export interface Post {
  readonly method: "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The second argument of fetch. A text is sent as it is, for what JSON.stringify cannot write. */
export function post(body: object | string, headers: Readonly<Record<string, string>> = {}): Post {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method: "POST", headers: { ...JSON_HEADERS, ...headers }, body: text };
}
