/** JSON-RPC error codes that Mayfly itself answers with. Source: JSON-RPC 2.0, 5.1; 2026-07-28/basic (-32020 to -32022). */
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
export const HEADER_MISMATCH = -32020;
export const MISSING_CAPABILITY = -32021;
export const UNSUPPORTED_VERSION = -32022;

/** What a caller finds in `error.data.reason` when a server, and not the request, is at fault. */
export type FailureReason =
  | "spawn_failed"
  | "exited"
  | "timeout"
  | "protocol"
  | "overloaded"
  | "shutdown"
  /** Of a remote server: nothing was sent; the connection broke; it wants to know who calls. */
  | "unreachable"
  | "lost"
  | "unauthorized";

/** Seconds: most requests have a process for less than one; a host that stops is mostly replaced within a few. */
const RETRY_AFTER: Readonly<Record<string, string>> = { overloaded: "1", shutdown: "5" };

/** Of an answer for these reasons: when it is of use to ask again. Whether it does no harm, its sender knows. */
export function retryHeaders(reason: FailureReason | undefined): Readonly<Record<string, string>> {
  const seconds = RETRY_AFTER[reason ?? ""];
  return seconds === undefined ? {} : { "Retry-After": seconds };
}

interface ErrorRow {
  readonly status: number;
  readonly rpc: number;
  /** `{name}` stands for a value given with the error. */
  readonly message: string;
  readonly reason?: FailureReason;
}

/** Every answer of Mayfly's own that is not a result. `docs/errors.md` has the same rows, and a test compares them. */
export const ERRORS = {
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    rpc: INVALID_REQUEST,
    message: "This origin may not call this server, unless --cors-origin or corsOrigins names it",
  },
  HOST_NOT_ALLOWED: {
    status: 403,
    rpc: INVALID_REQUEST,
    message: "This Host header is not allowed, unless --allowed-hosts or allowedHosts names it",
  },
  UNAUTHORIZED: {
    status: 401,
    rpc: INVALID_REQUEST,
    message:
      "The key is missing or wrong: send it as Authorization: Bearer KEY, as X-API-Key: KEY or as ?auth_key=KEY",
  },
  CALLER_NOT_KNOWN: {
    status: 401,
    rpc: INVALID_REQUEST,
    message: "The operator's own check does not know this caller",
  },
  NO_KEY_CONFIGURED: {
    status: 401,
    rpc: INVALID_REQUEST,
    message: "Closed: the operator must set AUTH_KEY, or ALLOW_ANONYMOUS=true to let everybody in",
  },
  MISCONFIGURED: {
    status: 500,
    rpc: INTERNAL_ERROR,
    message: "The configuration is broken: the operator finds the reason in the log",
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    rpc: INVALID_REQUEST,
    message: "There is nothing at this path: served are {paths}",
  },
  ADAPTER_ONLY: {
    status: 404,
    rpc: INVALID_REQUEST,
    message: "HTTP+SSE is not served here, as it needs the Node adapter: use streamable HTTP at {path}",
  },
  TRANSPORT_NOT_SERVED: {
    status: 404,
    rpc: INVALID_REQUEST,
    message: "Streamable HTTP is not served here: use HTTP+SSE at {path}",
  },
  SERVER_NOT_FOUND: { status: 404, rpc: INVALID_REQUEST, message: 'There is no server named "{server}"' },
  SERVER_NOT_CHOSEN: {
    status: 404,
    rpc: INVALID_REQUEST,
    message:
      "Several servers are configured and none is the default: use {path}/NAME, as GET /servers lists them",
  },
  METHOD_NOT_ALLOWED: { status: 405, rpc: INVALID_REQUEST, message: "Only {methods} is served here" },
  METHOD_OF_OTHER_TRANSPORT: {
    status: 405,
    rpc: INVALID_REQUEST,
    message: "Only {methods} is served here: {transport} is at {path}",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    rpc: INVALID_REQUEST,
    message: "Content-Type must be application/json",
  },
  BODY_ENCODED: {
    status: 415,
    rpc: INVALID_REQUEST,
    message: "The body must be UTF-8, without a Content-Encoding",
  },
  BODY_TOO_LARGE: {
    status: 413,
    rpc: INVALID_REQUEST,
    message: "The body is larger than {limit} bytes",
  },
  BODY_TIMEOUT: {
    status: 408,
    rpc: INVALID_REQUEST,
    message: "The body was not here within {limit} milliseconds",
  },
  NOT_ACCEPTABLE: {
    status: 406,
    rpc: INVALID_REQUEST,
    message: "Accept must allow application/json or text/event-stream",
  },
  BODY_NOT_JSON: { status: 400, rpc: PARSE_ERROR, message: "The body is not JSON: {detail}" },
  NOT_A_MESSAGE: { status: 400, rpc: INVALID_REQUEST, message: "Not a JSON-RPC message: {detail}" },
  BATCH_NOT_ALLOWED: { status: 400, rpc: INVALID_REQUEST, message: "This batch is not allowed: {detail}" },
  RESPONSE_NOT_EXPECTED: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "No request waits for this response here",
  },
  PARAMETER_NOT_ALLOWED: {
    status: 400,
    rpc: INVALID_REQUEST,
    message:
      'The URL parameter "{name}" may not be set by a request, unless --allow-env or allowEnv names it',
  },
  PARAMETER_NEVER_ALLOWED: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: 'The variable "{name}" can never be set by a request',
  },
  PARAMETER_NOT_VALID: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: 'The URL parameter "{name}" is not valid: {detail}',
  },
  PARAMETER_HAS_SOURCE: {
    status: 400,
    rpc: INVALID_REQUEST,
    message:
      'The variable "{name}" is taken from the {source} here, and not from a URL parameter of its name',
  },
  TOO_MANY_PARAMETERS: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "The URL has more than {limit} parameters",
  },
  CREDENTIAL_NOT_VALID: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: 'The {source}, which sets the variable "{variable}", is not valid: {detail}',
  },
  VERSION_NOT_KNOWN: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "MCP-Protocol-Version names a revision that is not served here",
  },
  VERSION_NOT_SUPPORTED: {
    status: 400,
    rpc: UNSUPPORTED_VERSION,
    message: "This protocol revision is not served here",
  },
  ENVELOPE_MISSING: {
    status: 400,
    rpc: INVALID_PARAMS,
    message: "params._meta lacks {keys}, which this protocol revision requires",
  },
  HEADER_WITHOUT_ENVELOPE: {
    status: 400,
    rpc: HEADER_MISMATCH,
    message: "MCP-Protocol-Version names a revision that has no initialize request",
  },
  INVALID_ENVELOPE: { status: 400, rpc: INVALID_PARAMS, message: "params._meta is not valid: {detail}" },
  HEADER_MISMATCH: { status: 400, rpc: HEADER_MISMATCH, message: "Header mismatch: {detail}" },
  METHOD_NOT_SERVED: {
    status: 404,
    rpc: METHOD_NOT_FOUND,
    message: "{method} is not served in this protocol revision",
  },
  TOOL_NOT_KNOWN: { status: 200, rpc: INVALID_PARAMS, message: "Unknown tool: {name}" },
  INVALID_FILTER: { status: 400, rpc: INVALID_PARAMS, message: "params.notifications must be an object" },
  STATE_NOT_VALID: {
    status: 400,
    rpc: INVALID_PARAMS,
    message: "This requestState is not valid here: it was changed, is too old, or belongs to another request",
  },
  CONTINUATION_EXPIRED: {
    status: 400,
    rpc: INVALID_PARAMS,
    message: "continuation expired: nothing waits for this answer any more",
  },
  INPUT_RESPONSE_NOT_VALID: {
    status: 400,
    rpc: INVALID_PARAMS,
    message: "params.inputResponses is not valid ({key}): expected an object",
  },
  STATE_TOO_LARGE: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The answers so far are too large to ask for another one: more than {limit} characters",
  },
  CAPABILITY_MISSING: {
    status: 400,
    rpc: MISSING_CAPABILITY,
    message: "The server needs a capability that the client has not declared",
  },
  INPUT_OUT_OF_REACH: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" needs client input, which this connection cannot provide',
  },
  CLIENT_OUT_OF_REACH: {
    status: 200,
    rpc: METHOD_NOT_FOUND,
    message: "The client cannot be reached from here",
  },
  MUST_NOT_REPEAT: {
    status: 200,
    rpc: METHOD_NOT_FOUND,
    message:
      "This tool may not ask here: it says neither readOnlyHint nor idempotentHint, and would run again",
  },
  CAPABILITY_NOT_DECLARED: {
    status: 200,
    rpc: METHOD_NOT_FOUND,
    message: "The client has not declared {missing}",
  },
  QUESTION_NOT_SUPPORTED: {
    status: 200,
    rpc: INVALID_PARAMS,
    message: "The client has not declared {missing}",
  },
  INVALID_INITIALIZE: { status: 400, rpc: INVALID_PARAMS, message: "initialize needs a params object" },
  MALFORMED_REQUEST: { status: 400, rpc: INVALID_REQUEST, message: "This is not a valid HTTP request" },
  HOST_NOT_VALID: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "A request needs one Host header, and a URL that names the same host if it names one",
  },
  HEADER_REPEATED: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "The header {name} may come only once",
  },
  HEADERS_TIMEOUT: {
    status: 408,
    rpc: INVALID_REQUEST,
    message: "The headers were not here within {limit} milliseconds",
  },
  EXPECTATION_NOT_MET: {
    status: 417,
    rpc: INVALID_REQUEST,
    message: "Expect may only be 100-continue",
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    rpc: INVALID_REQUEST,
    message: "The headers are larger than {limit} bytes",
  },
  TOO_MANY_HEADERS: {
    status: 431,
    rpc: INVALID_REQUEST,
    message: "There are more than {limit} headers",
  },
  SESSION_NOT_FOUND: {
    status: 404,
    rpc: INVALID_REQUEST,
    message: "This session is not known: initialize again",
  },
  STREAM_NOT_FOUND: {
    status: 404,
    rpc: INVALID_REQUEST,
    message: "This event stream is not open here: open it again",
  },
  MESSAGE_TYPE: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "Content-Type of a message must be application/json",
  },
  SESSION_MISSING: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "Mcp-Session-Id is missing: initialize first",
  },
  EVENTS_EXPIRED: {
    status: 400,
    rpc: INVALID_REQUEST,
    message: "The events after this Last-Event-ID are no longer kept",
  },
  ID_IN_USE: {
    status: 200,
    rpc: INVALID_REQUEST,
    message: "Another request with this id has no answer yet",
  },
  NO_REQUEST: {
    status: 200,
    rpc: METHOD_NOT_FOUND,
    message: "{method} is a notification, and none has an id",
  },
  INITIALIZE_TOO_LONG: {
    status: 200,
    rpc: INVALID_PARAMS,
    message: "initialize has more than {limit} characters",
  },
  TOO_MANY_SUBSCRIPTIONS: {
    status: 200,
    rpc: INVALID_PARAMS,
    message: "A client may have {limit} subscriptions, each to a uri of up to {length} characters",
  },
  URI_MISSING: { status: 200, rpc: INVALID_PARAMS, message: "{method} needs a uri, which is a string" },
  LEVEL_NOT_KNOWN: {
    status: 200,
    rpc: INVALID_PARAMS,
    message: "{method} needs a level, which is one of {levels}",
  },
  CHANGES_NOT_TOLD: {
    status: 200,
    rpc: INVALID_PARAMS,
    message: "The remote server does not tell when this resource changes",
  },
  NOT_SHARED: {
    status: 200,
    rpc: METHOD_NOT_FOUND,
    message: "{method} is not available over a session that clients share",
  },
  ENVIRONMENT_FIXED: {
    status: 400,
    rpc: INVALID_REQUEST,
    message:
      'A request cannot set the variable "{name}" of a process that is shared, or runs already: see --shared-session and --sessions',
  },
  NOT_STATELESS: {
    status: 200,
    rpc: METHOD_NOT_FOUND,
    message: "{method} is not available over a stateless connection",
  },
  OVERLOADED: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "All {limit} processes are in use: try again",
    reason: "overloaded",
  },
  SERVER_OVERLOADED: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: 'All {limit} processes of the server "{server}" are in use: try again',
    reason: "overloaded",
  },
  CALLER_OVERLOADED: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "This caller has {limit} processes, its share while others may come: try again",
    reason: "overloaded",
  },
  NO_DESCRIPTORS: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "This host has no file descriptors left for another process: try again",
    reason: "overloaded",
  },
  SESSION_FULL: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "Too much is in flight in this session for {method}: try again",
    reason: "overloaded",
  },
  SERVER_NOT_READING: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" does not read: {limit} characters wait for it',
    reason: "overloaded",
  },
  TOO_MANY_SESSIONS: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "All {limit} places for clients with a session are in use: try again",
    reason: "overloaded",
  },
  BODIES_TOO_LARGE: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message:
      "The bodies of all requests together have more than {limit} bytes, or this caller's share: try again",
    reason: "overloaded",
  },
  MESSAGES_TOO_LARGE: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "The messages of all servers together have more than {limit} bytes: try again",
    reason: "overloaded",
  },
  NO_PLACE_TO_WAIT: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message:
      "All {limit} places for sessions, subscriptions and open questions are in use: try again, or raise --max-processes",
    reason: "overloaded",
  },
  NO_SHARE_LEFT: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message:
      "This caller has its share, {limit} of the places for sessions, subscriptions and open questions: end one of them, or try again",
    reason: "overloaded",
  },
  SHUTTING_DOWN: {
    status: 503,
    rpc: INTERNAL_ERROR,
    message: "This host is shutting down",
    reason: "shutdown",
  },
  SPAWN_FAILED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" could not be started ({detail})',
    reason: "spawn_failed",
  },
  KEEPS_ENDING: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message:
      'The server "{server}" has ended {failures} times in a row: the next start is in {retryAfterMs} milliseconds',
    reason: "exited",
  },
  EXITED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" ended with {detail} before it answered {method}',
    reason: "exited",
  },
  START_TIMEOUT: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" was not ready for {method} within {limit} milliseconds',
    reason: "timeout",
  },
  REQUEST_TIMEOUT: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" did not answer {method} within {limit} milliseconds',
    reason: "timeout",
  },
  ANSWER_TIMEOUT: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The client did not answer the server "{server}" within {limit} milliseconds',
    reason: "timeout",
  },
  DEADLINE: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The platform's time for this request is over",
    reason: "timeout",
  },
  STDOUT_CLOSED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" closed its output before it answered {method}',
    reason: "protocol",
  },
  LINE_TOO_LONG: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" wrote a line of more than {limit} bytes',
    reason: "protocol",
  },
  TOO_MUCH_OUTPUT: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" wrote more than {limit} bytes for one request',
    reason: "protocol",
  },
  TOO_MANY_VALUES: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" wrote a message that holds more than {limit} objects and arrays',
    reason: "protocol",
  },
  INITIALIZE_REFUSED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" refused to initialize: {detail}',
    reason: "protocol",
  },
  TOO_MUCH_TALK: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" sent other messages in place of an answer: more than {limit}',
    reason: "protocol",
  },
  SERVER_ASKED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: 'The server "{server}" sent the request {method}, which its protocol revision forbids',
    reason: "protocol",
  },
  RESULT_TYPE_NOT_KNOWN: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message:
      'The server "{server}" answered with a result of the type {type}, which the client does not know',
    reason: "protocol",
  },
  ANSWER_TOO_LARGE: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message:
      "The answer is larger than {limit} bytes, which is all that the platform takes in one piece: use the streaming handler",
  },
  LINE_NOT_JSON: { status: 200, rpc: PARSE_ERROR, message: "A line of the client is not JSON" },
  CLIENT_LINE_TOO_LONG: {
    status: 200,
    rpc: INVALID_REQUEST,
    message: "A line of the client is longer than {limit} bytes: it was not read",
  },
  REMOTE_UNREACHABLE: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The remote server cannot be reached ({detail}): nothing was sent to it",
    reason: "unreachable",
  },
  REMOTE_LOST: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message:
      "The connection to the remote server broke ({detail}) before it answered {method}, which it may have carried out",
    reason: "lost",
  },
  REMOTE_SESSION_LOST: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The remote server has forgotten this session, and {method} with it: it was not carried out",
    reason: "lost",
  },
  REMOTE_REFUSED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The remote server refused {method}: HTTP {status}{detail}",
    reason: "protocol",
  },
  REMOTE_UNAUTHORIZED: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message:
      "The remote server does not let us in (HTTP {status}): give it what it wants by --header, --api-access-token or --api-key",
    reason: "unauthorized",
  },
  REMOTE_WANTS_OAUTH: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message:
      "The remote server wants its user to log in by OAuth, which Mayfly does not do: use npx mcp-remote {url}, or a token by --api-access-token",
    reason: "unauthorized",
  },
  REMOTE_NOT_MCP: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The remote server answered {method} with {detail}, which is not MCP",
    reason: "protocol",
  },
  REMOTE_NEITHER: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "There is no MCP server at this URL. By streamable HTTP: {http}. By HTTP+SSE: {sse}",
    reason: "protocol",
  },
  REMOTE_MESSAGE_TOO_LARGE: {
    status: 200,
    rpc: INTERNAL_ERROR,
    message: "The remote server sent a message of more than {limit} bytes",
    reason: "protocol",
  },
  INTERNAL: { status: 500, rpc: INTERNAL_ERROR, message: "An error inside Mayfly: see its log" },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorDetails {
  /** Values for the placeholders of the message. Never a secret: the message reaches the caller. */
  readonly values?: Readonly<Record<string, string | number>>;
  /** More members for `error.data`. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** More HTTP headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** More fields for the log, which do not reach the caller. */
  readonly log?: Readonly<Record<string, string>>;
  /** The raw text of the request's id, where it can be read. */
  readonly id?: string | undefined;
  readonly cause?: unknown;
}

/** An answer of {@link ERRORS}, thrown by the step that finds it and written on the wire by `response.ts`. */
export class MayflyError extends Error {
  override readonly name = "MayflyError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly rpcCode: number;
  readonly reason: FailureReason | undefined;
  readonly data: Readonly<Record<string, unknown>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: Readonly<Record<string, string>>;
  /** The id of the request, as its sender wrote it. */
  id: string | undefined;

  constructor(code: ErrorCode, { values = {}, data, headers = {}, log = {}, id, cause }: ErrorDetails = {}) {
    const row: ErrorRow = ERRORS[code];
    super(fill(row.message, values), { cause });
    this.code = code;
    this.status = row.status;
    this.rpcCode = row.rpc;
    this.reason = row.reason;
    this.data = row.reason === undefined ? data : { reason: row.reason, ...data };
    this.headers = { ...retryHeaders(row.reason), ...headers };
    this.log = log;
    this.id = id;
  }
}

/** A fault that is not in the table is a bug: the caller learns no more than that it happened. */
export function toMayflyError(error: unknown): MayflyError {
  return error instanceof MayflyError ? error : new MayflyError("INTERNAL", { cause: error });
}

/** The same error, as the answer to a certain request. */
export function withId(error: unknown, id: string | undefined): unknown {
  if (error instanceof MayflyError) error.id ??= id;
  return error;
}

/**
 * The JSON-RPC text of an error.
 * @param id the id as the caller wrote it; without one the answer has no id member.
 */
export function errorText(error: MayflyError, id: string | undefined = error.id): string {
  const { rpcCode: code, message, data } = error;
  const member = id === undefined ? "" : `"id":${id},`;
  return `{"jsonrpc":"2.0",${member}"error":${JSON.stringify({ code, message, ...(data && { data }) })}}`;
}

function fill(message: string, values: Readonly<Record<string, string | number>>): string {
  return message.replace(/\{(\w+)\}/g, (placeholder, name: string) => String(values[name] ?? placeholder));
}
