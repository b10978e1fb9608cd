import type { Host } from "../host.ts";
import { createHttpSse } from "./http-sse.ts";
import type { HttpSse } from "./http-sse.ts";
import { createRooms } from "./rooms.ts";
import { createStreamable } from "./streamable.ts";
import type { Streamable } from "./streamable.ts";

export type { Opening } from "./http-sse.ts";

/** What is served by processes that outlive their requests: both transports lead to the same rooms. */
export interface Sessions {
  readonly httpSse: HttpSse;
  readonly streamable: Streamable;
}

export function createSessions(host: Host): Sessions {
  const rooms = createRooms(host);
  return { httpSse: createHttpSse(rooms, host), streamable: createStreamable(rooms, host) };
}
