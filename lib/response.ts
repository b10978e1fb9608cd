import { errorText } from "./errors.ts";
import type { MayflyError } from "./errors.ts";
import { COMMENT, STREAM_HEADERS, encode, frame } from "./frames.ts";
import { ClientGone, onAbort } from "./lifetime.ts";
import type { Lifetime } from "./lifetime.ts";
import type { Reply, Replies } from "./exchange/order.ts";
import type { RequestContext } from "./incoming.ts";
import { PIECE_BYTES, inPieces } from "./pieces.ts";
import { MAX_TIMER_MS } from "./promises.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** How the replies of one POST are written. */
export interface ResponseForm {
  /** Whether the client reads event streams; if not, notifications are left out. */
  readonly stream: boolean;
  readonly batch: boolean;
  /** Session id for the answer to initialize. */
  readonly sessionToken: string | undefined;
  /** Milliseconds without a message after which the answer becomes an event stream. */
  readonly streamAfterMs: number;
  /** Milliseconds between comments on an idle stream. */
  readonly keepAliveMs: number;
  /** Of the requests that a process works on; ended when the client no longer reads. */
  readonly lifetime?: Pick<Lifetime, "signal" | "end"> | undefined;
  /** Wants to know what waits for the client. */
  readonly unsent?: RequestContext["unsent"];
}

type Next = Promise<IteratorResult<Reply, void>>;

/**
 * Writes replies as one JSON body, or as an event stream as soon as there is something to stream: a notification,
 * or nothing at all for `streamAfterMs`, when a proxy in between might give up waiting for the head.
 */
export async function respond(replies: Replies, form: ResponseForm): Promise<Response> {
  const timer = form.stream ? createTimer(form.streamAfterMs) : undefined;
  const held: Reply[] = [];
  try {
    for (;;) {
      const next = replies.next();
      const first = await Promise.race([next, ...(timer ? [timer.over] : [])]);
      if (first === undefined) return eventStream(held, replies, next, form);
      if (first.done) return held.length > 0 ? jsonResponse(held, form) : noResponse(form);
      if (first.value.kind === "response") held.push(first.value);
      else if (form.stream) return eventStream([...held, first.value], replies, undefined, form);
    }
  } finally {
    timer?.stop();
  }
}

/** The answer to a POST that asks for nothing. */
export function accepted(): Response {
  return new Response(null, { status: 202 });
}

/** A JSON-RPC error with its HTTP status. */
export function errorResponse(error: MayflyError): Response {
  return new Response(errorText(error), {
    status: error.status,
    headers: { ...JSON_HEADERS, ...error.headers },
  });
}

const JSON_HEADERS = {
  "Content-Type": "application/json",
  "Cache-Control": "no-store",
  ...SECURITY_HEADERS,
};
/** The status of a request whose client has gone, as nginx logs it; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

export function unreadResponse(): Response {
  return new Response(null, { status: CLIENT_CLOSED_REQUEST });
}

/** A cancelled request gets no response; a stream that ends is no error to the client, who may still listen. */
function noResponse({ stream }: ResponseForm): Response {
  return stream ? new Response("", { headers: STREAM_HEADERS }) : unreadResponse();
}

function jsonResponse(replies: readonly Reply[], form: ResponseForm): Response {
  const texts = replies.map(({ text }) => text).join(",");
  const [only] = replies;
  const { status = 200, headers: others } = only?.kind === "response" && !form.batch ? only : {};
  const { body, headers } = jsonBody(form.batch ? `[${texts}]` : texts, form.unsent);
  return new Response(body, {
    status,
    headers: { ...JSON_HEADERS, ...headers, ...sessionHeader(form.sessionToken), ...others },
  });
}

interface JsonBody {
  readonly body: string | ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

function jsonBody(text: string, unsent: ResponseForm["unsent"]): JsonBody {
  if (text.length <= PIECE_BYTES) return { body: text };
  const bytes = encode(text);
  const pieces = inPieces(bytes);
  unsent?.(() => pieces.left());
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    controller.enqueue(pieces.next());
    if (pieces.left() === 0) controller.close();
  };
  const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
  return { body, headers: { "Content-Length": String(bytes.length) } };
}

function sessionHeader(sessionToken: string | undefined): Record<string, string> {
  return sessionToken === undefined ? {} : { "Mcp-Session-Id": sessionToken };
}

/** Pulls: a client that reads slowly makes the server wait, and not our memory grow. */
function eventStream(
  held: readonly Reply[],
  replies: Replies,
  pending: Next | undefined,
  { keepAliveMs, lifetime, unsent, ...form }: ResponseForm,
): Response {
  let next = pending;
  let stopComments: (() => void) | undefined;
  // With nothing to say yet, the comment makes platforms send the head.
  let pieces = inPieces(held.length > 0 ? encode(held.map(({ text }) => frame(text)).join("")) : COMMENT);
  unsent?.(() => pieces.left());
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(pieces.next());
        const isBetweenFrames = (): boolean => pieces.left() === 0;
        stopComments = startComments(controller, keepAliveMs, isBetweenFrames, lifetime);
      },
      async pull(controller) {
        if (pieces.left() > 0) return controller.enqueue(pieces.next());
        const { done, value } = await (next ?? replies.next());
        next = undefined;
        if (value) {
          pieces = inPieces(encode(frame(value.text)));
          controller.enqueue(pieces.next());
        }
        // Goes on at once behind an answer, or its text would stand in the heap until a slow client has read its bytes.
        if (value?.kind === "response") next = replies.next();
        if (!done) return;
        stopComments?.();
        controller.close();
      },
      cancel() {
        stopComments?.();
        lifetime?.end(new ClientGone());
        void replies.return();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { ...STREAM_HEADERS, ...sessionHeader(form.sessionToken) } });
}

/** Stops by itself with the lifetime too: not every platform cancels the body of a client that has gone. */
function startComments(
  controller: ReadableStreamDefaultController<Uint8Array>,
  everyMs: number,
  isBetweenFrames: () => boolean,
  lifetime: ResponseForm["lifetime"],
): () => void {
  const timer = setInterval(
    () => {
      if (controller.desiredSize === 0 && isBetweenFrames()) controller.enqueue(COMMENT);
    },
    Math.min(everyMs, MAX_TIMER_MS),
  );
  // Whoever reads the stream keeps the host awake, and not our comments on it.
  timer.unref();
  const stop = (): void => clearInterval(timer);
  const unlisten = onAbort(lifetime?.signal, stop);
  return () => {
    stop();
    unlisten();
  };
}

function createTimer(ms: number): { readonly over: Promise<undefined>; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(ms, MAX_TIMER_MS));
  });
  return { over, stop: () => clearTimeout(timer) };
}
