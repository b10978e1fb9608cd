import { UNSUPPORTED_VERSION } from "../errors.ts";
import { isObject } from "../jsonrpc.ts";
import { isServedModernVersion } from "../revisions.ts";
import { errorCode } from "./error-up.ts";

/** What an answer to `server/discover`, or to initialize, says about the era of its server. Source: 2026-07-28/basic/versioning. */

/** Whether a result of `server/discover` names a modern revision that is spoken here. */
export function isModernDiscovery(result: unknown): boolean {
  return holdsModernVersion(isObject(result) ? result["supportedVersions"] : undefined);
}

/** Whether an error names one: a server that refuses the handshake so is modern. */
export function namesModernVersion(error: unknown): boolean {
  if (errorCode(error) !== UNSUPPORTED_VERSION || !isObject(error)) return false;
  return holdsModernVersion(isObject(error["data"]) ? error["data"]["supported"] : undefined);
}

function holdsModernVersion(versions: unknown): boolean {
  return Array.isArray(versions) && versions.some((version) => isServedModernVersion(version));
}
