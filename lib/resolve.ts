import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join, parse } from "node:path";

/** A program and its arguments. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** What `npx -y <package>` asks for. */
interface PackageCall {
  readonly name: string;
  /** As in `name@version`. */
  readonly version: string | undefined;
  readonly args: readonly string[];
}

interface Manifest {
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
    const entry = entryFile(place, call);
    if (entry) return { command: process.execPath, args: [entry, ...call.args] };
  }
  return asked;
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

function entryFile(place: string, call: PackageCall): string | undefined {
  const folder = join(place, "node_modules", call.name);
  const manifest = readManifest(folder);
  if (!manifest || !(satisfies(manifest.version, call.version) || isBuiltFor(place, call))) return undefined;
  const bin = binOf(manifest, call.name);
  const file = bin === undefined ? undefined : join(folder, bin);
  return file !== undefined && existsSync(file) && runsUnderNode(file) ? file : undefined;
}

/** Of a manifest that cannot be read nothing is known, as if it were not there: npx says what is wrong with it. */
function readManifest(folder: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
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
