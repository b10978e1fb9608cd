import type { Logger } from "../logger.ts";
import { removeLeftovers } from "./homes.ts";
import { HOST_ID, fateOf } from "./host-id.ts";
import { endMarked } from "./runaways.ts";

const MARK_OF_HOST = new RegExp(`^(${HOST_ID})\\.`);

/** Ends the processes and removes the files of hosts that were killed, and whose guard was killed too. Never rejects. */
export async function sweep(logger: Logger): Promise<void> {
  try {
    await endMarked(isLeft, logger);
    await removeLeftovers(logger);
  } catch (err) {
    logger.warn({ err }, "What killed hosts may have left could not be removed");
  }
}

function isLeft(mark: string): boolean {
  const [, host] = MARK_OF_HOST.exec(mark) ?? [];
  return host !== undefined && fateOf(host) === "gone";
}
