import { MayflyError } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";

/** @throws METHOD_NOT_ALLOWED, with those that are served (RFC 9110, 15.5.6) */
export function refuseMethod({ method }: Pick<IncomingRequest, "method">, served: readonly string[]): void {
  if (served.includes(method)) return;
  const methods = served.join(", ");
  throw new MayflyError("METHOD_NOT_ALLOWED", { values: { methods }, headers: { Allow: methods } });
}
