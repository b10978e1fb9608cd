import { MayflyError, errorText } from "../../errors.ts";
import type { Invocation } from "./invocation.ts";
import type { HttpEvent } from "./platform.ts";
import { requestIdOf } from "./request-id.ts";
import { chunksOf, respondTo } from "./source.ts";
import type { Source } from "./source.ts";

/** The answer to an HTTP event, in the form that its source reads. */
export interface BufferedAnswer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** For sources that send their headers that way. */
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  /** Since payload format 2.0. */
  readonly cookies?: readonly string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** Bytes of an answer as JSON. Sources: AWS Lambda quotas; Application Load Balancer, "Lambda functions as targets". */
const MAX_BYTES = 6 * 1024 ** 2;
const MAX_BYTES_OF_BALANCER = 1024 ** 2;

/** Answers an HTTP event in one piece, when nothing of it runs any more. */
export async function answerAtOnce(
  event: HttpEvent,
  source: Source,
  invocation: Invocation,
): Promise<BufferedAnswer> {
  const limit = event.requestContext.elb ? MAX_BYTES_OF_BALANCER : MAX_BYTES;
  try {
    const response = await respondTo(event, source, invocation);
    const bytes = await collect(response, limit);
    const answer = bytes && toAnswer(event, response, bytes);
    return answer && sizeOf(answer) <= limit ? answer : tooLarge(event, response, limit);
  } finally {
    await invocation.settled();
  }
}

/** Undefined: there are more bytes than that. To leave the loop ends what would write on. */
async function collect(response: Response, limit: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(response)) {
    bytes += chunk.length;
    if (bytes > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

function toAnswer(event: HttpEvent, { status, headers }: Response, bytes: Buffer): BufferedAnswer {
  const isText = TEXT.test(headers.get("Content-Type") ?? "text/plain");
  const body = bytes.toString(isText ? "utf8" : "base64");
  return { statusCode: status, ...headersFor(event, headers), body, isBase64Encoded: !isText };
}

const TEXT = /^(?:text\/|application\/(?:json|[\w.-]+\+json)\b)/i;

function headersFor(
  { rawPath, multiValueHeaders }: HttpEvent,
  headers: Headers,
): Pick<BufferedAnswer, "headers" | "multiValueHeaders" | "cookies"> {
  const cookies = headers.getSetCookie();
  const { "set-cookie": _, ...single } = Object.fromEntries(headers);
  if (rawPath !== undefined) return { headers: single, ...(cookies.length > 0 && { cookies }) };
  const [cookie] = cookies;
  // A load balancer reads the one or the other, as it sends them.
  if (!multiValueHeaders) return { headers: { ...single, ...(cookie && { "set-cookie": cookie }) } };
  const many = Object.entries(single).map(([name, value]): [string, string[]] => [name, [value]]);
  return {
    multiValueHeaders: {
      ...Object.fromEntries(many),
      ...(cookie !== undefined && { "set-cookie": cookies }),
    },
  };
}

function sizeOf(answer: unknown): number {
  return Buffer.byteLength(JSON.stringify(answer));
}

/** The platform would answer with an error of its own, which no client of MCP understands. */
function tooLarge(event: HttpEvent, response: Response, limit: number): BufferedAnswer {
  const error = new MayflyError("ANSWER_TOO_LARGE", { values: { limit } });
  const headers = new Headers(response.headers);
  headers.set("Content-Type", "application/json");
  headers.delete("Content-Length");
  const bytes = Buffer.from(errorText(error, requestIdOf(event)));
  return toAnswer(event, new Response(null, { status: error.status, headers }), bytes);
}
