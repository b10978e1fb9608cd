// Makes what stands in for images that no registry here can give: node scripts/container-base.mjs <folder>
// In the folder: `node` is a context for docker.io/library/node:24-slim, from packages of Debian and npm.
import { cpSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT, fetched, install, run } from "./fetched.mjs";

const SUITE = "bookworm";
/** It takes half a minute to make, so it is kept. */
const BASE = join(ROOT, ".cache", "container-base.tar");
const UNFINISHED = join(ROOT, ".cache", "container-base.new.tar");
const NPM = join(ROOT, ".cache", "npm-11");

// As the official image has them: the user `node` is 1000, and npm stands beside node.
const DOCKERFILE = `FROM scratch
ADD base.tar /
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
  && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \\
  && groupadd --gid 1000 node \\
  && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY docker-clean /etc/apt/apt.conf.d/docker-clean
CMD ["node"]
`;

// The images of Debian keep no cache of apt either.
const DOCKER_CLEAN = `DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
`;

function main(folder) {
  const context = join(folder, "node");
  mkdirSync(context, { recursive: true });
  debian();
  if (!existsSync(NPM)) must(install(NPM, "npm@11"), "npm@11");
  cpSync(BASE, join(context, "base.tar"));
  cpSync(join(fetched("24"), "node"), join(context, "node"), { dereference: true });
  cpSync(join(NPM, "node_modules", "npm"), join(context, "npm"), { recursive: true });
  writeFileSync(join(context, "docker-clean"), DOCKER_CLEAN);
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
}

function debian() {
  if (existsSync(BASE)) return;
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const words = ["--mode=root", "--variant=minbase", "--include=ca-certificates", "--quiet", SUITE];
  must(run("mmdebstrap", [...words, UNFINISHED]), "mmdebstrap");
  renameSync(UNFINISHED, BASE);
}

function must(status, what) {
  if (status !== 0) throw new Error(`${what} failed with ${status}`);
}

main(process.argv[2]);
