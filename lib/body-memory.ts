import { SHARE_OF_FREE, createTally } from "./capacity/usage.ts";
import { MayflyError } from "./errors.ts";
import { memoryShareBytes } from "./memory.ts";

/** Memory for bodies that are not all here yet, of all requests together: without a limit on it, the host would die. */
export interface BodyMemory {
  /** For one body. @param principal whose it is: callers share the memory */
  open(principal: string): BodyShare;
}

export interface BodyShare {
  /**
   * More of the body has come.
   * @param bytes of it so far
   * @throws BODIES_TOO_LARGE, where there is no room for it, or not in the caller's share
   */
  need(bytes: number): void;
  /** Gives the room back. Repeated calls count once. */
  close(): void;
}

/** Bytes of each body that are not counted: calls are mostly smaller, and go on while others send large ones. */
export const FREE_BODY_BYTES = 64 * 1024;

/** A quarter of the memory that the host may have; at least 256 MiB, and room for four bodies. */
export function defaultBodyMemory(maxBodyBytes: number): number {
  return Math.max(memoryShareBytes(), 4 * maxBodyBytes);
}

/**
 * @param limit bytes of all bodies
 * @param isShared whether there are several callers; one alone may have all
 */
export function createBodyMemory(limit: number, isShared = false): BodyMemory {
  const owned = createTally();
  let used = 0;
  const add = (principal: string, bytes: number): void => {
    used += bytes;
    owned.add(principal, bytes);
  };
  const hasRoom = (principal: string, bytes: number): boolean => {
    const free = limit - used - bytes;
    const own = owned.of(principal) + bytes;
    return free >= 0 && (!isShared || own <= SHARE_OF_FREE * free);
  };
  return {
    open(principal) {
      let counted = 0;
      return {
        need(bytes) {
          const more = Math.max(0, bytes - FREE_BODY_BYTES) - counted;
          if (more > 0 && !hasRoom(principal, more)) {
            throw new MayflyError("BODIES_TOO_LARGE", { values: { limit } });
          }
          add(principal, more);
          counted += more;
        },
        close() {
          add(principal, -counted);
          counted = 0;
        },
      };
    },
  };
}
