import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";

const LICENCE_FILE = /^(licen[sc]e|copying|notice)(\b|$)/i;

interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly text: string;
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: unknown;
}

/**
 * What has to go along with code of other packages.
 * @param files that are in the bundle, as absolute paths
 */
export function licencesOf(files: readonly string[]): { readonly text: string; readonly packages: number } {
  const inPackages = files.filter((path) => /[\\/]node_modules[\\/]/.test(path));
  const folders = new Set(inPackages.map((path) => packageFolder(dirname(path))));
  const packages = [...folders].map(describe).toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  return { text: licencesText(packages), packages: packages.length };
}

function idOf({ name, version }: BundledPackage): string {
  return `${name} ${version}`;
}

/** Packages put small package.json files without a name into their own folders. */
function packageFolder(folder: string): string {
  const { name, version } = manifestOf(folder);
  if (name && version) return folder;
  if (dirname(folder) === folder) throw new Error("a bundled file belongs to no package");
  return packageFolder(dirname(folder));
}

function manifestOf(folder: string): Manifest {
  const path = join(folder, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : {};
}

function describe(folder: string): BundledPackage {
  const { name = "", version = "", license } = manifestOf(folder);
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .toSorted()
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  const licence = typeof license === "string" ? license : "see below";
  if (texts.length === 0 && !license) throw new Error(`${name} ${version} names no licence`);
  return { name, version, licence, text: texts.join("\n\n") };
}

function licencesText(packages: readonly BundledPackage[]): string {
  const entries = packages.map((each) =>
    [idOf(each), `Licence: ${each.licence}`, each.text || "The package holds no licence text."].join("\n\n"),
  );
  const head = "The files beside this one hold code of the following packages.";
  return `${[head, ...entries].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
