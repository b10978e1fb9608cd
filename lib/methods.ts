import { MayflyError } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";

/** Where a method is served that somebody may look for at the wrong path. */
export interface Elsewhere {
  readonly method: string;
  readonly transport: string;
  readonly path: string;
}

/** @throws METHOD_NOT_ALLOWED, METHOD_OF_OTHER_TRANSPORT, with those that are served (RFC 9110, 15.5.6) */
export function refuseMethod(
  { method }: Pick<IncomingRequest, "method">,
  served: readonly string[],
  elsewhere?: Elsewhere,
): void {
  if (served.includes(method)) return;
  const methods = served.join(", ");
  const code = elsewhere?.method === method ? "METHOD_OF_OTHER_TRANSPORT" : "METHOD_NOT_ALLOWED";
  throw new MayflyError(code, { values: { methods, ...elsewhere }, headers: { Allow: methods } });
}
