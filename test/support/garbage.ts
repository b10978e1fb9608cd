import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collects what nobody holds. Twice, with a turn of the event loop between: what is finalized holds others until then. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await delay(0);
    collect();
  }
}
