import * as z from "zod/mini";

import { MayflyError } from "../errors.ts";
import { keptCapabilities } from "../eras/capabilities.ts";
import type { Handshake } from "../exchange/initialize.ts";
import { isLegacyVersion } from "../revisions.ts";

/** Marks a session id as ours; ids of other kinds (gateways invent some) are left alone. */
const PREFIX = "1.";
/** Bytes of a token: servers in between cut or refuse longer headers. */
const MAX_BYTES = 2048;

const record = z.record(z.string(), z.unknown());
const TokenSchema = z.object({
  ci: z.looseObject({ name: z.string(), version: z.string() }),
  cap: record,
  v: z.string().check(z.refine(isLegacyVersion)),
});

/**
 * Writes what a client said in its initialize request into the session id that it will send with every request.
 * It is the client's own word coming back: it holds no secret and gives no authority.
 * @returns undefined for a handshake that is too large
 */
export function encodeSessionToken({
  clientInfo,
  capabilities,
  protocolVersion,
}: Handshake): string | undefined {
  const nonce = globalThis.crypto.randomUUID();
  const content = { ci: clientInfo, cap: capabilities, v: protocolVersion, n: nonce };
  const token = PREFIX + Buffer.from(JSON.stringify(content)).toString("base64url");
  return token.length <= MAX_BYTES ? token : undefined;
}

/** The session id of a client that brings ours: its random part lets nobody else speak for that client. */
export function ownSession(headers: Headers): string | undefined {
  const header = headers.get("mcp-session-id");
  return header?.startsWith(PREFIX) ? header : undefined;
}

/**
 * @param id of the request, for the error
 * @returns undefined if the header is absent or not ours
 * @throws SESSION_NOT_FOUND for a token that cannot be read; the client then initializes again (2025-11-25/basic/transports)
 */
export function decodeSessionToken(header: string | null, id: string | undefined): Handshake | undefined {
  if (!header?.startsWith(PREFIX)) return undefined;
  const parsed = TokenSchema.safeParse(
    header.length <= MAX_BYTES ? readJson(header.slice(PREFIX.length)) : null,
  );
  if (!parsed.success) throw new MayflyError("SESSION_NOT_FOUND", { id });
  const { ci: clientInfo, cap: capabilities, v: protocolVersion } = parsed.data;
  return { clientInfo, capabilities: keptCapabilities(capabilities, true), protocolVersion };
}

function readJson(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
