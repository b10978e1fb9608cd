import { existsSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { SERVERS_FOLDER } from "../resolve.ts";
import { MAYFLY } from "../version.ts";
import type { TargetSources } from "./lambda.ts";
import { writeTarget } from "./target-folder.ts";

/** What npm needs to install the same again. */
const LOCKED = ["package.json", "package-lock.json"] as const;

/**
 * Writes the context of an image. The image builds the servers for its own Node and system, from the lock files of
 * this build: no program goes from one system to another.
 * @param flags of `mayfly build`, for the build in the image
 */
export async function writeDocker(
  folder: string,
  sources: TargetSources,
  flags: readonly string[] = [],
): Promise<void> {
  await writeTarget(folder, async (into) => {
    await writeFile(join(into, "Dockerfile"), dockerfile(sources.file !== undefined, flags));
    await writeFile(join(into, ".dockerignore"), "node_modules\n**/node_modules\n.env*\n");
    await writeFile(join(into, "package.json"), manifest());
    if (sources.file !== undefined) await copyFile(sources.file, join(into, "mcp.json"));
    await mkdir(join(into, SERVERS_FOLDER), { recursive: true });
    for (const name of Object.keys(sources.options.mcpServers)) await copyLock(name, into, sources);
  });
}

async function copyLock(name: string, into: string, { out }: TargetSources): Promise<void> {
  if (!existsSync(join(out, name, "package-lock.json"))) return;
  const to = join(into, SERVERS_FOLDER, name);
  await mkdir(to);
  for (const file of LOCKED) await copyFile(join(out, name, file), join(to, file));
}

function manifest(): string {
  const dependencies = { "mcp-mayfly": MAYFLY.version };
  return `${JSON.stringify({ private: true, type: "module", dependencies }, null, 2)}\n`;
}

/** Without the file, `MCP_SERVER_CONFIG` names the servers, for the build as for the run. */
function dockerfile(hasFile: boolean, flags: readonly string[]): string {
  const build = ["npx mayfly build", ...flags].join(" ");
  const config = hasFile ? "COPY mcp.json ./\n" : "ARG MCP_SERVER_CONFIG\n";
  return `# Mayfly and its servers, ready to start: docker build -t my-mcp .
FROM docker.io/library/node:24-slim AS build
WORKDIR /srv
COPY package.json ./
# A registry of your own: docker build --secret id=npmrc,src=$HOME/.npmrc. No layer keeps it.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm install --omit=dev --no-audit --no-fund
COPY servers ./servers
${config}RUN --mount=type=secret,id=npmrc,target=/root/.npmrc ${build} && rm -r public
RUN npm prune --omit=dev --omit=optional --no-audit --no-fund

FROM docker.io/library/node:24-slim
# Grandchildren of servers end without a parent: PID 1 has to wait for them, and Node does not.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
COPY --from=build /srv ./
ENV HOST=0.0.0.0 NODE_ENV=production
USER 1000:1000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \\
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8000) + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "-s", "--", "node_modules/.bin/mayfly"]
CMD ["--shutdown-timeout", "8000"]
`;
}
