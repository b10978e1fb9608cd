import type { Host } from "../host.ts";
import { createHttpSse } from "./http-sse.ts";
import type { HttpSse } from "./http-sse.ts";
import { createSessionRegistry } from "./session-registry.ts";
import { createStreamable } from "./streamable.ts";
import type { Streamable } from "./streamable.ts";

export type { Opening } from "./http-sse.ts";

/** What is served by processes that outlive their requests: both transports lead to the same sessions. */
export interface Sessions {
  readonly httpSse: HttpSse;
  readonly streamable: Streamable;
}

export function createSessions(host: Host): Sessions {
  const registry = createSessionRegistry(host);
  return { httpSse: createHttpSse(registry, host), streamable: createStreamable(registry, host) };
}
