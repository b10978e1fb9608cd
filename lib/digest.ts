import { createHash } from "node:crypto";

/** What stands for a text where it need not be seen, or would be too long. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
