import { MayflyError, errorText } from "../../errors.ts";
import { encode, frame, isEventStream } from "../../frames.ts";
import type { Logger } from "../../logger.ts";
import type { Invocation } from "./invocation.ts";
import type { HttpEvent, ResponseStream } from "./platform.ts";
import { requestIdOf } from "./request-id.ts";
import { chunksOf, respondTo } from "./source.ts";
import type { Source } from "./source.ts";

/** Source: API Gateway Developer Guide, "Set up a Lambda proxy integration with payload response streaming". */
const CONTENT_TYPE = "application/vnd.awslambda.http-integration-response";
/** Stands between the head, which is JSON, and the body. */
const DELIMITER = Buffer.alloc(8);

/** Answers an HTTP event, each message as soon as it is there. Resolves when nothing of it runs any more. */
export async function answerInStream(
  event: HttpEvent,
  stream: ResponseStream,
  source: Source,
  invocation: Invocation,
): Promise<void> {
  stream.setContentType(CONTENT_TYPE);
  const { signal, forget } = closingOf(stream);
  try {
    const response = await withLength(await respondTo(event, source, invocation, signal));
    await write(stream, headOf(response));
    await writeBody(response, stream, source.logger, () => requestIdOf(event));
  } finally {
    await invocation.settled();
    forget();
  }
  stream.end();
}

/** Fires when nobody reads any more: a server that says nothing would wait for its time to be over. */
function closingOf(stream: ResponseStream): { readonly signal: AbortSignal; readonly forget: () => void } {
  const controller = new AbortController();
  const events = ["close", "error"] as const;
  const leave = (): void => controller.abort();
  for (const event of events) stream.once(event, leave);
  return { signal: controller.signal, forget: () => events.forEach((event) => stream.off(event, leave)) };
}

/** So that a client need not wait for the end of the stream, which comes with the end of the process. */
async function withLength(response: Response): Promise<Response> {
  const { status, headers } = response;
  if (isEventStream(headers) || headers.has("Content-Length")) return response;
  const bytes = await response.arrayBuffer();
  headers.set("Content-Length", String(bytes.byteLength));
  return new Response(bytes.byteLength > 0 ? bytes : null, { status, headers });
}

function headOf({ status, headers }: Response): Uint8Array {
  const { "set-cookie": _, ...single } = Object.fromEntries(headers);
  const head = { statusCode: status, headers: single, cookies: headers.getSetCookie() };
  return Buffer.concat([encode(JSON.stringify(head)), DELIMITER]);
}

async function writeBody(
  response: Response,
  stream: ResponseStream,
  logger: Logger,
  id: () => string | undefined,
): Promise<void> {
  try {
    for await (const chunk of chunksOf(response)) {
      // To leave the loop ends what would write on.
      if (stream.destroyed === true) return;
      await write(stream, chunk);
    }
  } catch (error) {
    if (stream.destroyed === true) return;
    logger.error({ err: String(error) }, "An answer broke off");
    // The status is out. Who reads messages is told by one; anybody else sees that the body is too short.
    if (!isEventStream(response.headers)) throw error;
    await write(stream, encode(frame(errorText(new MayflyError("INTERNAL"), id()))));
  }
}

/** Resolves when there is room for more, or nobody reads any more. */
async function write(stream: ResponseStream, chunk: Uint8Array): Promise<void> {
  if (stream.write(chunk) || stream.destroyed === true) return;
  await new Promise<void>((resolve) => {
    const events = ["drain", "close", "error"] as const;
    const finish = (): void => {
      for (const event of events) stream.off(event, finish);
      resolve();
    };
    for (const event of events) stream.once(event, finish);
  });
}
