# Mayfly with the servers of ./mcp.json, ready to start: docker build -t mayfly .
# Without Python and uv, which `uvx` servers need: docker build --target node -t mayfly .
# docs/deploy/docker.md tells the rest.
ARG NODE_IMAGE=docker.io/library/node:24-slim
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.10.2

FROM ${UV_IMAGE} AS uv

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc LICENSE ./
# A registry of your own: docker build --secret id=npmrc,src=$HOME/.npmrc. No layer keeps it.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY lib lib
RUN npm run build && chmod +x dist/cli/main.js
# In the folder where they will run: a snapshot and a bundle are used at the place they were made for.
WORKDIR /srv
COPY mcp.json ./
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc node /app/dist/cli/main.js build && rm -r public
WORKDIR /app
RUN npm prune --omit=dev --omit=optional --no-audit --no-fund

FROM ${NODE_IMAGE} AS node
LABEL org.opencontainers.image.title="Mayfly" \
  org.opencontainers.image.description="Put any stdio MCP server behind stateless streamable HTTP: one request, one process." \
  org.opencontainers.image.licenses="MIT"
# Grandchildren of servers end without a parent: PID 1 has to wait for them, and Node does not.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/package.json /app/LICENSE /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
COPY --from=build /srv /srv
RUN ln -s /app/dist/cli/main.js /usr/local/bin/mayfly
# Servers get caches in /tmp from Mayfly where HOME is read-only; these are for what runs beside it, and for PASS_ENV.
ENV HOST=0.0.0.0 \
  NODE_ENV=production \
  npm_config_cache=/tmp/.npm \
  XDG_CACHE_HOME=/tmp/.cache \
  UV_CACHE_DIR=/tmp/.cache/uv \
  UV_PYTHON_INSTALL_DIR=/tmp/.cache/uv-python
WORKDIR /srv
# The user `node` as a number: Kubernetes cannot tell of a name that it is not root.
USER 1000:1000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8000) + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# -s: platforms that put a PID 1 of their own before it.
ENTRYPOINT ["tini", "-s", "--", "mayfly"]
# `docker stop` and Cloud Run kill after ten seconds: two of them are for the processes of what has not finished by then.
CMD ["--shutdown-timeout", "8000"]

FROM node AS python
USER root
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY --from=uv /uv /uvx /usr/local/bin/
USER 1000:1000
