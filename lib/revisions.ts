/** Protocol revisions with an initialize handshake, newest first. Source: versioning page of the specification. */
export const LEGACY_VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

/** A draft that early SDKs still ask for. */
const ACCEPTED = [...LEGACY_VERSIONS, "2024-10-07"] as const;

/** The first revision without a handshake. Revisions are dates: they compare as text. */
const FIRST_MODERN_VERSION = "2026-07-28";

/** What a client means that sends no MCP-Protocol-Version header. Source: 2025-06-18/basic/transports. */
export const VERSION_WITHOUT_HEADER = "2025-03-26";

export function isLegacyVersion(version: unknown): version is string {
  return ACCEPTED.some((accepted) => accepted === version);
}

export function isModernVersion(version: string): boolean {
  return version >= FIRST_MODERN_VERSION;
}
