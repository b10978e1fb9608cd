import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join, parse } from "node:path";

/** A program and its arguments. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** What `npx -y <package>` asks for. */
export interface PackageCall {
  readonly name: string;
  /** As in `name@version`. */
  readonly version: string | undefined;
  readonly args: readonly string[];
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly bin?: string | Readonly<Record<string, string>>;
  /** What `mayfly build` installed here, as it was asked for. */
  readonly mayfly?: Readonly<Record<string, string>>;
}

/**
 * Turns `npx -y <package>` into the package's own entry file under the running Node, if the package is installed:
 * npx alone takes longer to start than most servers. Anything else, and anything unclear, stays as it is.
 * @param folder where to look: in `node_modules` of it and of its parents, as Node does
 */
export function resolveCommand(asked: Command, folder: string): Command {
  const call = packageCall(asked);
  if (!call) return asked;
  for (const place of withParents(folder)) {
    const installed = installedAt(place, call);
    if (installed?.program) return { command: process.execPath, args: [installed.program, ...call.args] };
  }
  return asked;
}

/** The package that Node would find from a folder, in whatever version it is, and the folder whose `node_modules` has it. */
export function nearestPackage(
  name: string,
  folder: string,
): { readonly place: string; readonly version: string } | undefined {
  for (const place of withParents(folder)) {
    const { version } = readManifest(join(place, "node_modules", name)) ?? {};
    if (typeof version === "string") return { place, version };
  }
  return undefined;
}

/** A package in the `node_modules` of a folder. */
export interface InstalledPackage {
  readonly version: string | undefined;
  /** The program that npx would run, absolute, whether it is there or not; undefined if there is none. */
  readonly bin: string | undefined;
  /** The same if Node can run it. */
  readonly entry: string | undefined;
  /** What is started: the entry, or the bundle that stands for it. */
  readonly program: string | undefined;
}

/** Where `mayfly build` puts servers, and where they are looked for: relative to the base directory. */
export const SERVERS_FOLDER = "servers";

/** Where `mayfly build` puts the bundle of a server, relative to the server's folder. */
export const BUNDLE = { folder: "bundle", start: "start.cjs", manifest: "bundle.json" } as const;

/** @returns undefined if the package is not there, or not as it is asked for */
export function installedAt(place: string, call: PackageCall): InstalledPackage | undefined {
  const folder = join(place, "node_modules", call.name);
  const manifest = readManifest(folder);
  if (!manifest || !(satisfies(manifest.version, call.version) || isBuiltFor(place, call))) return undefined;
  const { version } = manifest;
  const bin = binOf(manifest, call.name);
  const file = bin === undefined ? undefined : join(folder, bin);
  const entry = file !== undefined && existsSync(file) && runsUnderNode(file) ? file : undefined;
  return {
    version,
    bin: file,
    entry,
    program: entry && (bundleOf(place, { name: call.name, version }) ?? entry),
  };
}

/** A bundle counts only for the version that it was made of: npm may have changed the package since. */
function bundleOf(place: string, made: { name: string; version: string | undefined }): string | undefined {
  const folder = join(place, BUNDLE.folder);
  const { name, version } = readJson(join(folder, BUNDLE.manifest)) ?? {};
  const start = join(folder, BUNDLE.start);
  return name === made.name && version === made.version && existsSync(start) ? start : undefined;
}

/** The package's name and version in `npx [-y] [--] name[@version] ...args`; npx's other options are left to npx. */
export function packageCall({ command, args }: Command): PackageCall | undefined {
  if (!/^npx(?:\.cmd)?$/.test(command)) return undefined;
  const at = args.findIndex((arg) => !["-y", "--yes", "-q", "--quiet", "--"].includes(arg));
  const [, name, version] = /^((?:@[\w.~-]+\/)?[\w~][\w.~-]*)(?:@([^\s/@]+))?$/.exec(args[at] ?? "") ?? [];
  return name === undefined ? undefined : { name, version, args: args.slice(at + 1) };
}

function withParents(folder: string): string[] {
  return folder === parse(folder).root ? [folder] : [folder, ...withParents(dirname(folder))];
}

/** Of a manifest that cannot be read nothing is known, as if it were not there: npx says what is wrong with it. */
function readManifest(folder: string): Manifest | undefined {
  return readJson(join(folder, "package.json"));
}

function readJson(file: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch {
    return undefined;
  }
}

/** `latest` is what was the latest when it was installed: a deployment does not change by itself. Ranges go to npx. */
function satisfies(installed: string | undefined, asked: string | undefined): boolean {
  return asked === undefined || asked === "latest" || asked === installed;
}

/** `mayfly build` installs just what was asked for, ranges too, and keeps the question in the folder. */
function isBuiltFor(place: string, call: PackageCall): boolean {
  return call.version !== undefined && readManifest(place)?.mayfly?.[call.name] === call.version;
}

/** npx's rule: the only command, or the one that is called like the package. Source: npm docs, npx. */
function binOf({ bin }: Manifest, name: string): string | undefined {
  if (typeof bin === "string") return bin;
  const files = bin ?? {};
  const only = new Set(Object.values(files));
  return only.size === 1 ? [...only][0] : files[name.replace(/^@[^/]+\//, "")];
}

function runsUnderNode(file: string): boolean {
  const [firstLine = ""] = readFileSync(file, "utf8").split("\n", 1);
  if (firstLine.startsWith("#!")) return /[/\s]node\s*$/.test(firstLine);
  return [".js", ".mjs", ".cjs"].includes(extname(file));
}
