import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

import { once } from "../promises.ts";

/**
 * Text that travels through the hands of a client, who can neither read nor change it. AES-256-GCM with keys made
 * from the operator's secrets. Source: 2026-07-28/basic/patterns/mrtr, Server Requirements 4.
 */
export interface Seal {
  seal(text: string): string;
  /** @returns undefined for what was not sealed here, or was changed */
  open(sealed: string): string | undefined;
}

/** What is sealed by Mayfly begins with this, so that other texts can be told from it. */
export const SEALED_PREFIX = "mayfly1.";

const ALGORITHM = "aes-256-gcm";
const [KEY_BYTES, IV_BYTES, TAG_BYTES] = [32, 12, 16];

/** @param secrets the first one seals, all of them open: a new one is put in front, an old one taken away later */
export function createSeal(secrets: readonly string[]): Seal {
  const keys = once(() => secrets.map(deriveKey));
  return {
    seal: (text) => SEALED_PREFIX + encrypt(text, keys()[0] ?? randomBytes(KEY_BYTES)).toString("base64url"),
    open(sealed) {
      if (!sealed.startsWith(SEALED_PREFIX)) return undefined;
      const encoded = sealed.slice(SEALED_PREFIX.length);
      const bytes = Buffer.from(encoded, "base64url");
      // Node skips what is not base64url: a text with something added would be as good as the original.
      if (bytes.toString("base64url") !== encoded) return undefined;
      for (const key of keys()) {
        const text = decrypt(bytes, key);
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}

function deriveKey(secret: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "mayfly", "requestState", KEY_BYTES));
}

function encrypt(text: string, key: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
  return Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(bytes: Buffer, key: Buffer): string | undefined {
  if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  const iv = bytes.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString("utf8");
  } catch {
    return undefined;
  }
}
