import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

/**
 * Runs a command that sees this machine without a network and read-only, but for an empty /tmp. Needs Linux, and root or
 * user namespaces.
 *
 * `unset`: the shell would export its working directory to an environment that must stay as given.
 */
const SCRIPT = `
set -e
ip link set lo up
mount -t tmpfs tmpfs /mnt
count=0
for folder in $KEPT; do
  count=$((count + 1))
  mkdir "/mnt/$count"
  mount --bind "$folder" "/mnt/$count"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
count=0
for folder in $KEPT; do
  count=$((count + 1))
  mkdir -p "$folder"
  mount --bind "/mnt/$count" "$folder"
done
while read -r _ _ _ _ target _; do
  # What is below the two that were mounted here is out of sight.
  [ "$target" = /tmp ] || [ ! -e "$target" ] || mount -o remount,bind,ro "$target"
done < /proc/self/mountinfo
unset KEPT PWD OLDPWD count folder target
exec "$@"
`;

/** The namespaces of mounts and of the network; who is not root becomes it in a namespace of users. */
const UNSHARE = ["-m", "-n", ...(process.getuid?.() === 0 ? [] : ["-r"]), "sh", "-c", SCRIPT, "sh"];

/** Why it cannot run here, or false. */
export function notPermitted(): string | false {
  const { status, error, stderr } = spawnSync("unshare", [...UNSHARE, "true"], {
    env: environment([]),
    encoding: "utf8",
  });
  if (status === 0) return false;
  return `no namespaces without network and with a read-only root: ${error?.message ?? stderr.trim()}`;
}

export interface OfflineOptions {
  /** Folders below /tmp that stay visible, read-only as all others. Without spaces in their paths. */
  readonly kept: readonly string[];
  readonly timeoutMs: number;
}

/** @returns what the command writes to stdout; rejects with all its output if it fails */
export async function runOffline(command: readonly string[], options: OfflineOptions): Promise<string> {
  const { kept, timeoutMs } = options;
  const { stdout } = await promisify(execFile)("unshare", [...UNSHARE, ...command], {
    env: environment(kept),
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 ** 2,
  });
  return stdout;
}

function environment(kept: readonly string[]): NodeJS.ProcessEnv {
  const { LAMBDA_RUNTIME } = process.env;
  const runtime = LAMBDA_RUNTIME === undefined ? {} : { LAMBDA_RUNTIME };
  const belowTmp = kept.filter((folder) => folder.startsWith("/tmp/"));
  return { PATH: process.env["PATH"], HOME: "/nonexistent", KEPT: belowTmp.join(" "), ...runtime };
}
