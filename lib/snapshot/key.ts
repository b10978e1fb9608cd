import { readFileSync, statSync } from "node:fs";
import { join, resolve as absolute } from "node:path";

import type { ServerConfig } from "../configuration/options.ts";
import { asWritten } from "../configuration/written.ts";
import { sha256 } from "../digest.ts";
import { SERVERS_FOLDER, nearestPackage, packageCall } from "../resolve.ts";
import type { Command } from "../resolve.ts";

/** What a server's answers depend on, as far as it can be known without asking it. Holds names and digests, no values. */
export interface SnapshotKey {
  /** Digest of the entry as it is written, of what decides how the server runs. */
  readonly configuration: string;
  /** Name, version and lock file of a package that npx names; null for other commands. */
  readonly package: string | null;
  /** Digests of the files that stand on the command line, by how they are written there. */
  readonly files: Readonly<Record<string, string>>;
  /** Names of the variables that the operator gives to the server. */
  readonly environment: readonly string[];
}

/** A server, and where it is looked up. */
export interface Keyed {
  readonly name: string;
  readonly config: ServerConfig;
  /** The absolute path of the base directory. */
  readonly base: string;
  /** Names of the variables that the operator gives to the server, beyond those that every program inherits. */
  readonly environment: readonly string[];
}

export function keyOf({ name, config, base, environment }: Keyed): SnapshotKey {
  const asked = { command: config.command, args: config.args ?? [] };
  return {
    configuration: configurationDigest(config),
    package: packageText(asked, join(base, SERVERS_FOLDER, name)),
    files: fileDigests(asked, absolute(base, config.cwd ?? ".")),
    environment: [...new Set(environment)].toSorted(),
  };
}

/** The members in which two keys differ. A package of a version that nobody knows is never the same. */
export function differences(one: SnapshotKey, other: SnapshotKey): string[] {
  const members = ["configuration", "package", "files", "environment"] as const;
  return members.filter(
    (member) =>
      JSON.stringify(one[member]) !== JSON.stringify(other[member]) ||
      (member === "package" && one.package?.endsWith(UNKNOWN)),
  );
}

/** Other settings change when a server runs, or what is made of its answers, but not what it says. */
function configurationDigest(config: ServerConfig): string {
  const { command, args = [], env = {}, cwd = ".", era = "auto", ...rest } = asWritten(config);
  const { limits = {}, permissions = null, wrapper = [] } = rest;
  const pairs = Object.entries(env).toSorted(([one], [two]) => (one < two ? -1 : 1));
  return sha256(JSON.stringify([command, args, pairs, cwd, era, limits, permissions, wrapper]));
}

const UNKNOWN = "@?";
const EXACT = /^\d+\.\d+\.\d+/;

/** @param folder where the package is looked up: in `node_modules` of it and of its parents */
function packageText(asked: Command, folder: string): string | null {
  const call = packageCall(asked);
  if (!call) return null;
  const { name, version = "" } = call;
  const found = nearestPackage(name, folder);
  if (!found || (EXACT.test(version) && version !== found.version)) {
    return name + (EXACT.test(version) ? `@${version}` : UNKNOWN);
  }
  const lock = textOf(join(found.place, "package-lock.json"));
  return `${name}@${found.version}${lock === undefined ? "" : ` ${sha256(lock)}`}`;
}

function fileDigests({ command, args }: Command, cwd: string): Record<string, string> {
  const digests = [command, ...args].map((word) => [word, fileDigest(absolute(cwd, word))] as const);
  return Object.fromEntries(digests.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Bytes of a file whose content is read. A larger one is a program of the system, and counts by its size. */
const MAX_READ_BYTES = 4 * 1024 ** 2;

function fileDigest(path: string): string | undefined {
  try {
    const found = statSync(path);
    if (!found.isFile()) return undefined;
    return found.size > MAX_READ_BYTES ? `${found.size} bytes` : sha256(readFileSync(path));
  } catch {
    // Most words of a command line name no file.
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
