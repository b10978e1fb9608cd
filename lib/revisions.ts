/** Protocol revisions with an initialize handshake, newest first. Source: versioning page of the specification. */
export const LEGACY_VERSIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

/** A draft that early SDKs still ask for. */
const ACCEPTED = [...LEGACY_VERSIONS, "2024-10-07"] as const;

/** The revisions without a handshake, newest first. Source: 2026-07-28/basic/versioning, Terminology. */
export const MODERN_VERSIONS = ["2026-07-28"] as const;

/** What a client means that sends no MCP-Protocol-Version header. Source: 2025-06-18/basic/transports. */
export const VERSION_WITHOUT_HEADER = "2025-03-26";

/** The two ways of the protocol: with an initialize handshake, or with all that is needed in every request. */
export type Era = "legacy" | "modern";

export function isLegacyVersion(version: unknown): version is string {
  return ACCEPTED.some((accepted) => accepted === version);
}

/** Whether a revision has no handshake, also one that is newer than Mayfly. Revisions are dates: they compare as text. */
export function isModernVersion(version: string): boolean {
  return version >= MODERN_VERSIONS[0];
}

/** Whether a modern revision is spoken here. */
export function isServedModernVersion(version: unknown): boolean {
  return MODERN_VERSIONS.some((served) => served === version);
}
