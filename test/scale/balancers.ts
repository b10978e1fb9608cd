import type { Scope } from "../support/files.ts";
import { hasNginx, startNginx, startStickyNginx } from "./nginx.ts";
import { startRoundRobin } from "./round-robin.ts";

/** Hands requests to instances in turn; says in the header `x-instance` which one has answered, as host:port. */
export interface Balancer {
  readonly name: string;
  /** Why it cannot run here, or false. */
  readonly skip: string | false;
  /** @returns its URL, without a path. It ends with the scope. */
  readonly start: (scope: Scope, instances: readonly string[]) => Promise<string>;
}

export const NGINX: Balancer = {
  name: "nginx",
  skip: hasNginx() ? false : "there is no nginx here",
  start: startNginx,
};

/** Chooses the instance by the caller. */
export const STICKY_NGINX: Balancer = { ...NGINX, name: "nginx by caller", start: startStickyNginx };

/** Runs wherever Node does. */
export const ROUND_ROBIN: Balancer = { name: "a round-robin proxy", skip: false, start: startRoundRobin };
