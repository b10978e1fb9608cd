import { execFile, execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { ROOT } from "../../support/documents.ts";

/** buildah and podman, with a storage of their own and without a registry of images. */
export interface Engine {
  /** A folder for what a test wants to mount. */
  readonly folder: string;
  /** Builds an image from a folder. */
  build(tag: string, context: string, words?: readonly string[]): Promise<void>;
  /** What podman prints on stdout. */
  podman(...words: readonly string[]): Promise<string>;
  /** What it prints on both outputs, and how it ends. */
  attempt(...words: readonly string[]): { readonly status: number | null; readonly output: string };
  /** Removes the containers, the images and the storage. */
  close(): Promise<void>;
}

const TOOLS = ["buildah", "podman", "runc", "mmdebstrap"];
const BUILD_MS = 480_000;
const PODMAN_MS = 60_000;

/** Why there can be no engine here; false where there can. */
export function missingForContainers(): string | false {
  const missing = TOOLS.filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  return process.getuid?.() === 0 ? false : "building without an engine takes root";
}

/** With what the Dockerfiles ask for: a stand-in for the image of Node, and one for that of uv that cannot run. */
export async function createEngine(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), "mayfly-container-"));
  const engine = await withStorage(folder);
  execFileSync(process.execPath, ["scripts/container-base.mjs", folder], { cwd: ROOT, stdio: "inherit" });
  await engine.build("docker.io/library/node:24-slim", join(folder, "node"));
  return engine;
}

/** vfs copies every file of every layer, and works also where the folder for temporary files is an overlay. */
async function withStorage(folder: string): Promise<Engine> {
  const [fast, slow] = [engineIn(folder, "overlay"), engineIn(folder, "vfs")];
  try {
    await standInForUv(fast);
    return fast;
  } catch (error) {
    console.error(`no storage by overlay here, so it takes longer: ${String(error)}`);
  }
  await standInForUv(slow);
  return slow;
}

function engineIn(folder: string, driver: "overlay" | "vfs"): Engine {
  const place = (name: string): string => join(folder, driver, name);
  const storage = ["--storage-driver", driver, "--root", place("root"), "--runroot", place("run")];
  // crun and systemd's cgroups need a machine that booted with systemd.
  const podman = [...storage, "--tmpdir", place("tmp"), "--cgroup-manager=cgroupfs", "--runtime", "runc"];
  const engine: Engine = {
    folder,
    async build(tag, context, words = []) {
      const options = [...BUILD, "--tag", tag, ...words, ...(await ofThisMachine(folder))];
      await run("buildah", [...storage, ...options, context], BUILD_MS);
    },
    podman: (...words) => run("podman", [...podman, ...words], PODMAN_MS),
    attempt(...words) {
      const { status, stdout, stderr } = spawnSync("podman", [...podman, ...words], { encoding: "utf8" });
      return { status, output: `${stdout}${stderr}` };
    },
    async close() {
      await engine.podman("rm", "--all", "--force", "--time", "0");
      // It keeps its layers below a mount of their folder on itself, and sometimes that of a container.
      if (driver === "overlay") await run("umount", ["--recursive", join(place("root"), driver)], PODMAN_MS);
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return engine;
}

/** Only the format of docker knows a HEALTHCHECK. With layers, what two images share is built once. */
const BUILD = ["bud", "--pull-never", "--layers", "--format", "docker"] as const;

/** Which registry npm asks, and whom it trusts: mounted while building, and in no layer. */
async function ofThisMachine(folder: string): Promise<string[]> {
  const npmrc = join(folder, "npmrc");
  const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  await writeFile(npmrc, `registry=${registry}\ncafile=${CERTIFICATES}/ca-certificates.crt\n`);
  return ["--secret", `id=npmrc,src=${npmrc}`, "--volume", `${CERTIFICATES}:${CERTIFICATES}:ro`];
}

const CERTIFICATES = "/etc/ssl/certs";

async function standInForUv(engine: Engine): Promise<void> {
  const context = join(engine.folder, "uv");
  await mkdir(context, { recursive: true });
  for (const name of ["uv", "uvx"]) {
    const file = join(context, name);
    await writeFile(file, "#!/bin/sh\necho 'stands in for uv' >&2\nexit 1\n");
    await chmod(file, 0o755);
  }
  await writeFile(join(context, "Dockerfile"), "FROM scratch\nCOPY uv uvx /\n");
  await engine.build(await uvImage(), context);
}

/** The one that the Dockerfile names. */
async function uvImage(): Promise<string> {
  const dockerfile = await readFile(join(ROOT, "Dockerfile"), "utf8");
  return /^ARG UV_IMAGE=(\S+)$/m.exec(dockerfile)?.[1] ?? "";
}

async function run(program: string, words: readonly string[], timeout: number): Promise<string> {
  const env = { ...process.env, BUILDAH_ISOLATION: "chroot" };
  const { stdout } = await promisify(execFile)(program, words, { env, timeout, maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}
