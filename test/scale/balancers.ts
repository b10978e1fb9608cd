import type { Scope } from "../support/files.ts";
import { byCaller, inTurn } from "./nginx-configuration.ts";
import { hasNginx, startNginx } from "./nginx.ts";
import { startRoundRobin } from "./round-robin.ts";
import type { RunningBalancer } from "./running-balancer.ts";

/** Hands requests to instances in turn; says in the header `x-instance` which one has answered, as host:port. */
export interface Balancer {
  readonly name: string;
  /** Why it cannot run here, or false. */
  readonly skip: string | false;
  /** It ends with the scope. */
  readonly start: (scope: Scope, instances: readonly string[]) => Promise<RunningBalancer>;
}

export const NGINX: Balancer = {
  name: "nginx",
  skip: hasNginx() ? false : "there is no nginx here",
  start: (scope, instances) => startNginx(scope, instances, inTurn),
};

/** Chooses the instance by the caller. */
export const STICKY_NGINX: Balancer = {
  ...NGINX,
  name: "nginx by caller",
  start: (scope, instances) => startNginx(scope, instances, byCaller),
};

/** Runs wherever Node does. */
export const ROUND_ROBIN: Balancer = { name: "a round-robin proxy", skip: false, start: startRoundRobin };

/** Of what takes long, and is run before a release: why it does not run now, or false. */
export const LONG = process.env["SCALE_TESTS"] ? false : "npm run test:scale runs it";

/** What people run, where it is there; both do the same, and each instance that starts takes its time. */
export const BALANCER: Balancer = NGINX.skip === false ? NGINX : ROUND_ROBIN;
