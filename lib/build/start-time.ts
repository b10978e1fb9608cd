import type { HandlerOptions } from "../configuration/options.ts";
import { anonymousHandshake, initializeText } from "../exchange/initialize.ts";
import type { Host } from "../host.ts";
import { settlesWithin } from "../promises.ts";
import type { Command } from "../resolve.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Server } from "../servers.ts";
import { onHostApart, startedBy } from "../snapshot/host-apart.ts";

/**
 * Starts a server for its handshake alone, with the variables, the sandbox and the limits that requests start it with.
 * None is left afterwards.
 * @param command runs in place of the configured one
 * @throws Error if it does not answer within `startTimeoutMs`
 */
export async function startOnce(name: string, options: HandlerOptions, command: Command): Promise<void> {
  await onHostApart(name, options, async (server, host) => timed(startedBy(server, command), host));
}

/** Milliseconds until `initialize` is answered. Each command in turn: what else the machine does slows all of them. */
export async function medianStartTimes(
  name: string,
  options: HandlerOptions,
  commands: readonly Command[],
): Promise<number[]> {
  const times = commands.map((): number[] => []);
  await onHostApart(name, options, async (server, host) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, command] of commands.entries()) {
        times[index]?.push(await timed(startedBy(server, command), host));
      }
    }
  });
  return times.map(median);
}

const ROUNDS = 3;
/** Of the request; nothing else that a server writes has it. */
const ID = "mayfly-build";

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

async function timed(server: Server, { processes, shutdown }: Host): Promise<number> {
  const startedAt = performance.now();
  const process = await processes.start(server, shutdown.signal, "");
  try {
    const lines = process.child.lines(shutdown.signal);
    await process.child.send(initializeText(ID, anonymousHandshake(LEGACY_VERSIONS[0])));
    const answered = firstAnswer(lines);
    if (await settlesWithin(answered, server.startTimeoutMs)) return (await answered) - startedAt;
    throw new Error(`no answer within ${server.startTimeoutMs} milliseconds`);
  } finally {
    process.end();
    await process.gone;
  }
}

/** When it came. Notifications and lines that are no messages may come before it. */
async function firstAnswer(lines: AsyncIterable<string>): Promise<number> {
  for await (const line of lines) {
    if (line.includes(JSON.stringify(ID))) return performance.now();
  }
  throw new Error("it ended before it answered");
}
