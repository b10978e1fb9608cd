import { createHash } from "node:crypto";

/** What stands for a content where it need not be seen, or would be too long. */
export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url");
}
