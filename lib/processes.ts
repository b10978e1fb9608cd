import { createCapacity } from "./capacity.ts";
import type { CapacityLimits } from "./capacity.ts";
import { spawnChild } from "./child.ts";
import type { Child, ChildLimits } from "./child.ts";
import { isOutOfDescriptors } from "./descriptors.ts";
import { MayflyError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { createGuard, noGuard } from "./processes/guard.ts";
import { createHomes } from "./processes/homes.ts";
import type { Home, Wanted } from "./processes/homes.ts";
import { createHostId } from "./processes/host-id.ts";
import { sweep } from "./processes/leftovers.ts";
import { MARK } from "./processes/marks.ts";
import { createRunaways } from "./processes/runaways.ts";
import { deferred } from "./promises.ts";
import { inSandbox } from "./sandbox/sandbox.ts";
import type { Server } from "./servers.ts";

/** A process that belongs to one request. */
export interface OwnProcess {
  readonly child: Child;
  /** Ends the process and removes what was made for it. Repeated calls share one ending. */
  end(): void;
  /** Resolves when all of that is done. */
  readonly gone: Promise<void>;
}

/** The processes of a host: where they start, and where it is known which are alive. */
export interface Processes {
  /**
   * Starts a process, as soon as there is a place for it.
   * @param principal whose request it is: callers share the places
   * @param isSuccessor whether the request has had a process before, which is being ended
   * @throws OVERLOADED, SERVER_OVERLOADED if there is none in time; NO_DESCRIPTORS; the signal's reason if that fires first
   */
  start(server: Server, signal: AbortSignal, principal: string, isSuccessor?: boolean): Promise<OwnProcess>;
  /** Resolves when no process is left, and none of our own beside them. Whoever calls it has ended the requests. */
  close(): Promise<void>;
  /** SIGKILL to all, at once. */
  kill(): void;
}

/** What a host does about its processes. */
export interface ProcessesOptions extends ChildLimits, CapacityLimits {
  /** Whether somebody ends the processes when the host is killed. */
  readonly guard: boolean;
  readonly logger: Logger;
}

export function createProcesses(options: ProcessesOptions): Processes {
  const { logger } = options;
  const id = createHostId();
  const [capacity, homes, runaways] = [createCapacity(options), createHomes(id), createRunaways(logger)];
  const guard = options.guard ? createGuard(id, logger) : noGuard;
  const alive = new Map<Child, Promise<void>>();
  const swept = sweep(logger);
  let count = 0;
  return {
    async start(server, signal, principal, isSuccessor = false) {
      const release = await capacity.acquire({ server, principal, isSuccessor }, signal);
      try {
        const home = await homes.prepare(wantedBy(server));
        count += 1;
        const mark = `${id}.${count}`;
        const startedAt = performance.now();
        const child = await spawnIn(home, mark, server, signal, options);
        const born = child.pid === undefined ? undefined : { pid: child.pid, startedAt };
        const unwatch = child.pid === undefined ? undefined : guard.watch(child.pid);
        return own(child, alive, async () => {
          unwatch?.();
          release();
          if (!server.keepDaemons) await runaways.end(mark, born);
          await removed(home, logger);
        });
      } catch (error) {
        release();
        throw outOfDescriptors(error) ?? error;
      }
    },
    async close() {
      while (alive.size > 0) await Promise.all(alive.values());
      await Promise.all([swept, guard.close()]);
    },
    kill: () => [...alive.keys()].forEach((child) => child.kill()),
  };
}

function wantedBy({ parameters, command, operatorSets, isPrivate, credentials }: Server): Wanted {
  // What came with the request must not be found by the next one.
  return { env: parameters.env, operatorSets, isPrivate: isPrivate ?? credentials, command };
}

async function spawnIn(
  home: Home,
  mark: string,
  server: Server,
  signal: AbortSignal,
  options: ProcessesOptions,
): Promise<Child> {
  const env = { ...home.env, ...(!server.keepDaemons && { [MARK]: mark }) };
  try {
    signal.throwIfAborted();
    return spawnChild(inSandbox(server.parameters, env), options);
  } catch (error) {
    await removed(home, options.logger);
    throw error;
  }
}

async function removed(home: Home, logger: Logger): Promise<void> {
  await home
    .remove()
    .catch((err: unknown) => logger.error({ err }, "A temporary folder could not be removed"));
}

function outOfDescriptors(cause: unknown): MayflyError | undefined {
  return isOutOfDescriptors(cause) ? new MayflyError("NO_DESCRIPTORS", { cause }) : undefined;
}

function own(child: Child, alive: Map<Child, Promise<void>>, cleanUp: () => Promise<void>): OwnProcess {
  const { promise: ended, resolve: end } = deferred();
  const gone = ended.then(async () => {
    await child.end();
    await cleanUp();
    alive.delete(child);
  });
  alive.set(child, gone);
  return { child, end, gone };
}
