import { existsSync } from "node:fs";

import type { Child } from "./child.ts";
import { MayflyError } from "./errors.ts";
import { MAX_NESTED, isObject } from "./jsonrpc.ts";
import { settlesWithin } from "./promises.ts";
import { endedByLimit, failedStart } from "./sandbox/endings.ts";
import type { Ending } from "./sandbox/endings.ts";
import type { Server } from "./servers.ts";

/** Milliseconds between the end of a dying process's stdout and its exit. */
const EXIT_DELAY_MS = 250;

/**
 * Why the stdout of a server ended before it answered: it never started, it exited, or it only closed its stdout.
 * @param method what was not answered
 */
export async function earlyEnd(child: Child, server: Server, method: string): Promise<MayflyError> {
  const values = { server: server.name, method };
  if (!(await settlesWithin(child.exited, EXIT_DELAY_MS)))
    return new MayflyError("STDOUT_CLOSED", { values });
  const { code, signal, error } = await child.exited;
  if (!error) {
    const ending = { code, signal, stderr: child.stderrTail() };
    return afterStart(ending, server, values);
  }
  const detail = startFailure(error, server.parameters);
  return new MayflyError("SPAWN_FAILED", { values: { ...values, detail }, cause: error });
}

/** What was started may have been a sandbox, and not yet the server. */
function afterStart(ending: Ending, { parameters }: Server, values: Record<string, string>): MayflyError {
  const { sandbox } = parameters;
  const notStarted = failedStart(sandbox, ending);
  if (notStarted !== undefined) {
    return new MayflyError("SPAWN_FAILED", { values: { ...values, detail: notStarted } });
  }
  const how = ending.signal ?? `exit code ${ending.code}`;
  const limit = endedByLimit(sandbox?.limits, ending);
  const detail = limit === undefined ? how : `${how} (${limit})`;
  return new MayflyError("EXITED", { values: { ...values, detail } });
}

/** The system says ENOENT for the program and for the folder alike. */
function startFailure(
  { code = "no process" }: NodeJS.ErrnoException,
  { command, cwd, sandbox }: Server["parameters"],
): string {
  if (code !== "ENOENT") return code;
  if (!existsSync(cwd)) return "ENOENT: its working directory does not exist";
  if (sandbox && sandbox.wrapper.length > 0) return "ENOENT: no such program to wrap it";
  const hint = /\s/.test(command) ? ": its arguments belong in args, or in words of their own" : "";
  return `ENOENT: no such program${hint}`;
}

export function lineTooLong(server: Server, limit: number): MayflyError {
  return new MayflyError("LINE_TOO_LONG", { values: { server: server.name, limit } });
}

export function tooMuchOutput({ name, maxOutputBytes }: Server): MayflyError {
  return new MayflyError("TOO_MUCH_OUTPUT", { values: { server: name, limit: maxOutputBytes } });
}

export function tooManyValues(server: Server): MayflyError {
  return new MayflyError("TOO_MANY_VALUES", { values: { server: server.name, limit: MAX_NESTED } });
}

/** The server's own words: they tell best why it did not want to start. */
export function refusedInitialize(server: Server, error: unknown): MayflyError {
  const said = isObject(error) ? error["message"] : undefined;
  const detail = typeof said === "string" ? said : "without a reason";
  return new MayflyError("INITIALIZE_REFUSED", {
    values: { server: server.name, detail: shortenedText(detail) },
    data: { error: isWritable(error) ? error : { message: shortenedText(detail) } },
  });
}

/** Characters of a server's own error that pass on inside one of ours. */
const MAX_ERROR = 8192;

function shortenedText(text: string): string {
  return text.length > MAX_ERROR ? `${text.slice(0, MAX_ERROR)}…` : text;
}

/** What is nested too deep cannot be written again. */
function isWritable(error: unknown): boolean {
  try {
    return JSON.stringify(error).length <= MAX_ERROR;
  } catch {
    return false;
  }
}
