import { readFileSync } from "node:fs";

import { eventV2, sent } from "../../test/lambda/events.ts";
import { startEnvironment } from "../../test/lambda/environment.ts";
import type { Environment } from "../../test/lambda/environment.ts";
import { post } from "../../test/support/rpc.ts";
import type { BenchServer } from "../servers.ts";
import type { DeployedFunction } from "./functions.ts";

/** An environment of a function that runs one server. */
export async function environmentFor(target: DeployedFunction, server: BenchServer): Promise<Environment> {
  const { args, env } = server;
  const parameters = { SERVER_PARAMETERS: JSON.stringify({ command: process.execPath, args, env }) };
  const path = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };
  const own = { ALLOW_ANONYMOUS: "true", LOG_LEVEL: "error" };
  const variables = target.isPeer ? { ...parameters, LOG_LEVEL: "error" } : own;
  return startEnvironment(target.folder, target.handler, { ...path, ...variables });
}

/** What came of one call, and when. */
export interface Called {
  readonly text: string;
  /** Milliseconds until the last byte of the answer. */
  readonly answerMs: number;
  /** Milliseconds until the runtime asked for the next invocation, which is what is paid for. */
  readonly billedMs: number;
  /** Milliseconds of CPU, of the function and of the processes that it waited for, in steps of ten. */
  readonly cpuMs: number;
}

/** One tools/call, to which progress may be told. */
export async function callThrough(environment: Environment, server: BenchServer): Promise<Called> {
  const { name, tool, arguments: args } = server;
  const params = { name: tool, arguments: args, _meta: { progressToken: "p" } };
  const event = eventV2(sent(`/mcp/${name}`, post({ jsonrpc: "2.0", id: 1, method: "tools/call", params })));
  const startCpuMs = cpuOf(environment.pid);
  const startedAt = performance.now();
  const { body } = await environment.invoke({ event });
  const chunks: Buffer[] = [];
  let answerMs = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    answerMs = performance.now() - startedAt;
  }
  await environment.idle();
  const text = Buffer.concat(chunks).toString("utf8");
  const billedMs = performance.now() - startedAt;
  return { text, answerMs, billedMs, cpuMs: cpuOf(environment.pid) - startCpuMs };
}

const MS_PER_TICK = 10;

/** Source: proc(5), /proc/pid/stat: utime, stime, cutime, cstime. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return MS_PER_TICK * fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
