import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";

import type { ServerPermissions } from "../configuration/options.ts";
import { fillPlaceholders } from "./placeholders.ts";
import type { ProcessPlaces } from "./placeholders.ts";

/** What the permissions are for. */
export interface PermittedProgram {
  /** What it runs, which it must be able to read. */
  readonly entry: string | undefined;
  /** How this Node calls its permission model. */
  readonly flag: string;
}

const MODELS = ["--permission", "--experimental-permission"];

/** How a Node that knows those options calls its permission model; undefined if it has none. */
export function modelOf(known: ReadonlySet<string>): string | undefined {
  return MODELS.find((flag) => known.has(flag));
}

/** The permissions that a Node must know to grant or refuse, by their options. */
const SWITCHES = {
  childProcess: "--allow-child-process",
  worker: "--allow-worker",
  addons: "--allow-addons",
  wasi: "--allow-wasi",
  net: "--allow-net",
} as const satisfies Partial<Record<keyof ServerPermissions, string>>;

type Switch = keyof typeof SWITCHES;

const NAMES = Object.keys(SWITCHES) as readonly Switch[];

/** Where older versions cannot keep a server from something, it is open to all. */
const OPEN_BEFORE: readonly Switch[] = ["net", "addons", "wasi"];

/** Why this Node cannot do what is asked; undefined if it can. */
export function flawOfPermissions(asked: ServerPermissions, known: ReadonlySet<string>): string | undefined {
  if (modelOf(known) === undefined) return "this Node has no permission model: Node 20 and later have one";
  const open = OPEN_BEFORE.find((name) => asked[name] === false && !known.has(SWITCHES[name]));
  return open && `this Node cannot refuse ${open}: it does not know ${SWITCHES[open]}; a wrapper can`;
}

/** The options of Node. */
export function permissionFlags(
  asked: ServerPermissions,
  { entry, flag }: PermittedProgram,
  known: ReadonlySet<string>,
  places: ProcessPlaces,
): string[] {
  const read = [...(entry === undefined ? [] : neededBy(entry)), ...pathsOf(asked.fsRead, places)];
  const granted = NAMES.filter((name) => (asked[name] ?? name === "net") && known.has(SWITCHES[name]));
  return [
    flag,
    ...plainPaths(read).map((path) => `--allow-fs-read=${path}`),
    ...plainPaths(pathsOf(asked.fsWrite, places)).map((path) => `--allow-fs-write=${path}`),
    ...granted.map((name) => SWITCHES[name]),
  ];
}

/** Where the program, its package and what it imports are, by every name that leads there. */
function neededBy(entry: string): string[] {
  const files = bothNames(entry);
  return [...files, ...files.flatMap(packageOf), ...files.flatMap(modulesOf)];
}

/** Node compares names and not files: a program that resolves a link asks for the other name. */
function bothNames(path: string): string[] {
  return existsSync(path) ? [...new Set([path, realpathSync(path)])] : [path];
}

/** The folder of the nearest package.json, as Node looks for it. */
function packageOf(file: string): string[] {
  return foldersAbove(file)
    .filter((folder) => existsSync(join(folder, "package.json")))
    .slice(0, 1);
}

function modulesOf(file: string): string[] {
  return foldersAbove(file)
    .map((folder) => join(folder, "node_modules"))
    .filter((folder) => existsSync(folder))
    .flatMap(bothNames);
}

function foldersAbove(path: string): string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersAbove(folder)];
}

/** Everything, to Node. */
const ALL = "*";

function pathsOf(asked: readonly string[] = [], places: ProcessPlaces): string[] {
  return fillPlaceholders(asked, places).flatMap((path) =>
    path === ALL ? [ALL] : bothNames(resolve(places.cwd, path)),
  );
}

/**
 * A folder grants all that is in it: to name something in it as well makes Node forget the folder itself.
 * A name that Node would read as a pattern, or 20 as two names, is granted to nobody.
 */
function plainPaths(paths: readonly string[]): string[] {
  if (paths.includes(ALL) || paths.includes(sep)) return [ALL];
  const nested = (path: string): boolean => paths.some((other) => path.startsWith(other + sep));
  return [...new Set(paths)].filter((path) => !nested(path) && !isPattern(path));
}

export function isPattern(path: string): boolean {
  return /[*,]/.test(path);
}
