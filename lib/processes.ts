import { createCapacity } from "./capacity.ts";
import { spawnChild } from "./child.ts";
import type { Child, ChildLimits, StdioServerParameters } from "./child.ts";
import { MayflyError } from "./errors.ts";
import { prepareHome } from "./home.ts";
import type { Home } from "./home.ts";
import type { Logger } from "./logger.ts";
import { deferred } from "./promises.ts";
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
   * @throws OVERLOADED if there is none in time; NO_DESCRIPTORS; the signal's reason if that fires first
   */
  start(server: Server, signal: AbortSignal): Promise<OwnProcess>;
  /** Resolves when no process is left. Whoever calls it has ended the requests. */
  idle(): Promise<void>;
  /** SIGKILL to all, at once. */
  kill(): void;
}

export function createProcesses(maxProcesses: number, limits: ChildLimits, logger: Logger): Processes {
  const capacity = createCapacity(maxProcesses);
  const alive = new Map<Child, Promise<void>>();
  return {
    async start({ parameters }, signal) {
      const release = await capacity.acquire(signal);
      try {
        const home = await prepareHome(parameters.env["HOME"]);
        if (signal.aborted) await home.remove();
        signal.throwIfAborted();
        const child = await spawnIn(home, parameters, limits);
        return own(child, alive, async () => {
          await home
            .remove()
            .catch((err: unknown) => logger.error({ err }, "A temporary HOME could not be removed"));
          release();
        });
      } catch (error) {
        release();
        throw outOfDescriptors(error) ?? error;
      }
    },
    idle: async () => {
      while (alive.size > 0) await Promise.all(alive.values());
    },
    kill: () => [...alive.keys()].forEach((child) => child.kill()),
  };
}

async function spawnIn(home: Home, parameters: StdioServerParameters, limits: ChildLimits): Promise<Child> {
  try {
    return spawnChild(inHome(parameters, home), limits);
  } catch (error) {
    await home.remove();
    throw error;
  }
}

function outOfDescriptors(cause: unknown): MayflyError | undefined {
  const { code } = Object(cause) as NodeJS.ErrnoException;
  const isOut = code === "EMFILE" || code === "ENFILE";
  return isOut ? new MayflyError("NO_DESCRIPTORS", { cause }) : undefined;
}

/** The operator's own cache variables count; of a HOME that cannot be written, nothing is left to count. */
function inHome(
  parameters: StdioServerParameters,
  { env: { HOME, ...caches } }: Home,
): StdioServerParameters {
  return { ...parameters, env: { ...caches, ...parameters.env, ...(HOME !== undefined && { HOME }) } };
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
