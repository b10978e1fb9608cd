import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** How npm is called to install a package of a server. */
export interface NpmCall {
  /** `ci` installs what the lock file says, and nothing else. */
  readonly verb: "install" | "ci";
  readonly folder: string;
  /** Whether packages may run programs of their own while they are installed. */
  readonly runScripts: boolean;
}

/** The lock file names no registry: it works behind a mirror too, and tells nobody of a private one. */
const FLAGS = [
  "--omit=dev",
  "--no-audit",
  "--no-fund",
  "--omit-lockfile-registry-resolved",
  "--loglevel=error",
];

/** Bytes of npm's own output, of which the last lines are the reason of a failure. */
const MAX_OUTPUT_BYTES = 16 * 1024 ** 2;

/** @throws Error whose message is the reason, in one line */
export async function npm({ verb, folder, runScripts }: NpmCall): Promise<void> {
  const flags = [...FLAGS, ...(runScripts ? ["--foreground-scripts=false"] : ["--ignore-scripts"])];
  const isWindows = process.platform === "win32";
  try {
    // On Windows npm is a batch file, which only a shell runs; every word of this line is one of ours.
    await promisify(execFile)(isWindows ? "npm.cmd" : "npm", [verb, ...flags], {
      cwd: folder,
      shell: isWindows,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
  } catch (cause) {
    throw new Error(reasonOf(cause as NpmFailure), { cause });
  }
}

interface NpmFailure extends Error {
  readonly code?: string | number;
  readonly stderr?: string;
}

/** What npm's codes mean, for whoever has to do something about it. */
const REASONS: readonly (readonly [codes: RegExp, reason: string])[] = [
  [/^E404$/, "the registry has no such package"],
  [/^ETARGET$/, "the registry has no such version"],
  [
    /^(?:ENOTFOUND|ECONN\w+|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_\w+|ENETUNREACH)$/,
    "the registry cannot be reached",
  ],
  [/^E40[13]$|^ENEEDAUTH$/, "the registry wants a login"],
  [/^ENOSPC$/, "no space is left on the disk"],
  [/^(?:EROFS|EACCES|EPERM)$/, "the folder cannot be written"],
  [/^EINTEGRITY$/, "a package is not the one that the lock file names"],
  [/^EUSAGE$/, "the lock file does not fit: remove package-lock.json beside it to resolve anew"],
];

function reasonOf({ code, stderr = "", message }: NpmFailure): string {
  if (code === "ENOENT") return "npm is not installed";
  const [, ofNpm] = /^npm (?:error|ERR!) code (\S+)$/m.exec(stderr) ?? [];
  const known = REASONS.find(([codes]) => ofNpm !== undefined && codes.test(ofNpm));
  if (known) return `${known[1]} (${ofNpm})`;
  return firstComplaint(stderr) ?? message.split("\n", 1)[0] ?? "npm failed";
}

function firstComplaint(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.replace(/^npm (?:error|ERR!) ?/, "").trim());
  return lines.find((line) => line !== "" && !/^code |^A complete log/.test(line));
}
