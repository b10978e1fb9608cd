import { spawn } from "node:child_process";

import { within } from "../support/deadline.ts";
import { collectLog, stopProcess } from "../vercel/process.ts";
import { startRuntimeApi } from "./runtime-api.ts";
import type { Invoke, Posted } from "./runtime-api.ts";

/** The program of aws-lambda-ric, where `npm run test:lambda` has put it; and why it is not there. */
export const RUNTIME = process.env["LAMBDA_RUNTIME"];
export const NO_RUNTIME =
  process.env["NO_LAMBDA_RUNTIME"] ?? "aws-lambda-ric compiles native code: npm run test:lambda installs it";

const START_MS = 20_000;
const STOP_MS = 2000;

/** An execution environment: the real runtime client, with a function loaded. */
export interface Environment {
  readonly pid: number;
  invoke(invoke: Invoke): Promise<Posted>;
  /** Resolves when the platform may freeze it. */
  idle(): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

/**
 * @param folder holds the function
 * @param handler as in the function's settings
 * @param env beside what the platform sets
 */
export async function startEnvironment(
  folder: string,
  handler: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Environment> {
  if (RUNTIME === undefined) throw new Error(NO_RUNTIME);
  const api = await startRuntimeApi();
  const child = spawn(process.execPath, [RUNTIME], {
    cwd: folder,
    env: { ...env, ...platformVariables(folder, handler, api.address) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = collectLog(child);
  child.once("exit", (code, signal) => {
    api.fail(new Error(`the runtime ended with ${signal ?? code}: ${log()}`));
  });
  const stop = async (): Promise<void> => {
    await stopProcess(child, STOP_MS);
    api.close();
  };
  try {
    await within(api.idle(), START_MS, "the runtime asks for an invocation");
  } catch (cause) {
    await stop();
    throw new Error(`the runtime did not start: ${log()}`, { cause });
  }
  return { pid: child.pid ?? 0, invoke: (invoke) => api.invoke(invoke), idle: () => api.idle(), log, stop };
}

/** Source: AWS Lambda Developer Guide, "Working with Lambda environment variables". */
function platformVariables(folder: string, handler: string, address: string): Record<string, string> {
  return {
    _HANDLER: handler,
    LAMBDA_TASK_ROOT: folder,
    AWS_LAMBDA_RUNTIME_API: address,
    AWS_LAMBDA_FUNCTION_NAME: "mayfly",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1769",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/mayfly",
    AWS_LAMBDA_LOG_STREAM_NAME: "2026/11/01/[$LATEST]0",
    AWS_REGION: "eu-central-1",
    ...CREDENTIALS,
  };
}

/** Of the function's role. */
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: "ASIAQNZGKIQY56JQ7WML",
  AWS_SECRET_ACCESS_KEY: "canary-of-the-secret-access-key",
  AWS_SESSION_TOKEN: "canary-of-the-session-token",
};
