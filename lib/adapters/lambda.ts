import type { HandlerOptions } from "../configuration/options.ts";
import { isObject } from "../jsonrpc.ts";
import type { Print } from "../logger.ts";
import { once } from "../promises.ts";
import { fromVariables } from "./function-handler.ts";
import { answerAtOnce } from "./lambda/buffered.ts";
import type { BufferedAnswer } from "./lambda/buffered.ts";
import { isHttpEvent } from "./lambda/http-event.ts";
import { createInvocation } from "./lambda/invocation.ts";
import type { LambdaContext, ResponseStream } from "./lambda/platform.ts";
import { brokenSource, createSource } from "./lambda/source.ts";
import type { Source } from "./lambda/source.ts";
import { answerInStream } from "./lambda/streaming.ts";
import { callTool, toolNameOf } from "./lambda/tool-call.ts";

export type { BufferedAnswer, LambdaContext, ResponseStream };

/** A handler whose answers are sent while they are made. */
export type StreamingHandler = (
  event: unknown,
  stream: ResponseStream,
  context: LambdaContext,
) => Promise<void>;

/** A handler whose answers are sent in one piece: the answer to an HTTP request, or the result of a tool. */
export type BufferedHandler = (event: unknown, context: LambdaContext) => Promise<unknown>;

/**
 * Both take requests of a function URL, an HTTP API, a REST API and an application load balancer, and the tool calls of
 * AgentCore Gateway. For any other event they reject with a TypeError that says so.
 */
export interface LambdaHandlers {
  /** For a function URL whose invoke mode is RESPONSE_STREAM, and for a REST API whose transfer mode is STREAM. */
  readonly handler: StreamingHandler;
  /** For all others. An answer may have 6 MiB, that to a load balancer 1 MiB: more is the error ANSWER_TOO_LARGE. */
  readonly bufferedHandler: BufferedHandler;
}

/**
 * Lambda functions over these options.
 * @throws ConfigurationError, also for what needs a process that outlives its request
 */
export function createLambdaHandlers(options: HandlerOptions): LambdaHandlers {
  const source = createSource(options);
  return handlersOver(() => source);
}

/** By this the runtime knows a streaming handler, without its global `awslambda`. Source: aws-lambda-ric, `UserFunctionLoader`. */
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

/** CloudWatch and alarms know a line's level by the method that wrote it. */
const onConsole: Print = (line, level) => console[level](line);

/** Made at the first event and not while loading: a broken configuration is an answer, not a crash. */
const sourceOnce = once(() => fromVariables(process.env, createSource, brokenSource, onConsole));

/** A whole Lambda function: `export { handler } from "mcp-mayfly/lambda"`. Set up by the same variables as on Vercel. */
export const { handler, bufferedHandler } = handlersOver(sourceOnce);

function handlersOver(sourceOf: () => Source): LambdaHandlers {
  const streaming: StreamingHandler = (event, stream, context) =>
    invokeInStream(event, stream, context, sourceOf());
  const buffered: BufferedHandler = (event, context) => invoke(event, context, sourceOf());
  return { handler: Object.assign(streaming, { [STREAMING]: "response" }), bufferedHandler: buffered };
}

async function invokeInStream(
  event: unknown,
  stream: ResponseStream,
  context: LambdaContext,
  source: Source,
): Promise<void> {
  const invocation = createInvocation(context);
  const toolName = toolNameOf(context);
  if (!toolName) return answerInStream(httpEvent(event), stream, source, invocation);
  const result = await callTool(toolName, event, source, invocation);
  stream.setContentType("application/json");
  stream.write(result);
  stream.end();
}

async function invoke(event: unknown, context: LambdaContext, source: Source): Promise<unknown> {
  const invocation = createInvocation(context);
  const toolName = toolNameOf(context);
  if (!toolName) return answerAtOnce(httpEvent(event), source, invocation);
  return JSON.parse(await callTool(toolName, event, source, invocation)) as unknown;
}

/** @throws TypeError for schedules, queues, warm-up calls and the like: nobody would read an HTTP answer */
function httpEvent(event: unknown) {
  if (isHttpEvent(event)) return event;
  const found = isObject(event) ? `an object of ${Object.keys(event).slice(0, 10).join(", ")}` : typeof event;
  throw new TypeError(
    `This event is neither an HTTP request nor a tool call of AgentCore Gateway: found ${found || "nothing"}`,
  );
}
