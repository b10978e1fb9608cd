// Holds the one direction of imports: a file may import files of its own row and of the rows below it.
// Usage: node scripts/import-directions.mjs [folder]
import { readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";

/** From the top, where a request comes in, to the bottom. Every file of api/ and lib/ has its place here. */
const LAYERS = [
  ["api/*"],
  ["lib/cli/*"],
  ["lib/build/*"],
  ["lib/adapters/*"],
  [
    "lib/connect/connect.ts",
    "lib/connect/front.ts",
    "lib/connect/index.ts",
    "lib/connect/opening.ts",
    "lib/connect/probing.ts",
    "lib/connect/reaching.ts",
    "lib/connect/settings.ts",
    "lib/connect/switching.ts",
  ],
  ["lib/connect/relays/*", "lib/connect/staying/*", "lib/connect/transports.ts"],
  ["lib/connect/sessions/*"],
  ["lib/connect/stdio/*", "lib/connect/wire/*", "lib/connect/remote.ts"],
  [
    "lib/connect/backoff.ts",
    "lib/connect/limited.ts",
    "lib/connect/link.ts",
    "lib/connect/messages.ts",
    "lib/connect/options.ts",
    "lib/connect/rationed-log.ts",
    "lib/connect/relay.ts",
  ],
  ["lib/index.ts"],
  ["lib/create-handler.ts"],
  ["lib/handler.ts"],
  ["lib/sessions/*"],
  ["lib/snapshot/host-apart.ts", "lib/snapshot/record-server.ts"],
  [
    "lib/health.ts",
    "lib/host.ts",
    "lib/input/policy.ts",
    "lib/run.ts",
    "lib/server-list.ts",
    "lib/snapshot/recording-stage.ts",
    "lib/snapshot/refreshing.ts",
  ],
  [
    "lib/auth.ts",
    "lib/authenticate.ts",
    "lib/body.ts",
    "lib/cors.ts",
    "lib/credentials.ts",
    "lib/hosts.ts",
    "lib/origins.ts",
    "lib/parameters.ts",
    "lib/paths.ts",
    "lib/request/classify.ts",
    "lib/request/hidden-tools.ts",
    "lib/request/legacy.ts",
    "lib/request/modern.ts",
    "lib/request/routed-by.ts",
    "lib/request/session-token.ts",
    "lib/response.ts",
    "lib/methods.ts",
    "lib/routes.ts",
    "lib/watching.ts",
  ],
  ["lib/exchange/listening.ts"],
  ["lib/exchange/exchange.ts", "lib/snapshot/lists.ts", "lib/snapshot/recorder.ts", "lib/snapshot/replay.ts"],
  [
    "lib/exchange/cells.ts",
    "lib/exchange/endings.ts",
    "lib/exchange/opening.ts",
    "lib/exchange/order.ts",
    "lib/exchange/precautions.ts",
    "lib/exchange/turns.ts",
    "lib/input/asking.ts",
    "lib/input/input-required.ts",
    "lib/input/relaying.ts",
  ],
  [
    "lib/exchange/conversation.ts",
    "lib/exchange/names.ts",
    "lib/exchange/strays.ts",
    "lib/input/held-processes.ts",
    "lib/input/relays.ts",
    "lib/input/rerun.ts",
  ],
  [
    "lib/snapshot/recorded-process.ts",
    "lib/processes.ts",
    "lib/reasons.ts",
    "lib/sandbox/experiments.ts",
    "lib/sandbox/judges.ts",
    "lib/sandbox/observation.ts",
    "lib/sandbox/rungs.ts",
    "lib/servers.ts",
  ],
  [
    "lib/child.ts",
    "lib/processes/*",
    "lib/exchange/initialize.ts",
    "lib/exchange/tool-memory.ts",
    "lib/snapshot/built.ts",
    "lib/snapshot/memory.ts",
    "lib/input/questions.ts",
    "lib/tool-filter.ts",
  ],
  ["lib/eras/*", "lib/request/header-parameters.ts", "lib/request/headers.ts"],
  [
    "lib/cancellations.ts",
    "lib/capacity.ts",
    "lib/capacity/*",
    "lib/places.ts",
    "lib/configuration/*",
    "lib/credential-sources.ts",
    "lib/environment.ts",
    "lib/input/seal.ts",
    "lib/lifetime.ts",
    "lib/body-memory.ts",
    "lib/line-memory.ts",
    "lib/lines.ts",
    "lib/mailbox.ts",
    "lib/never-settable.ts",
    "lib/request-variables.ts",
    "lib/resolve.ts",
    "lib/sandbox/endings.ts",
    "lib/sandbox/limits.ts",
    "lib/sandbox/node-program.ts",
    "lib/sandbox/permissions.ts",
    "lib/sandbox/placeholders.ts",
    "lib/sandbox/sandbox.ts",
    "lib/snapshot/exposed.ts",
    "lib/snapshot/format.ts",
    "lib/snapshot/key.ts",
    "lib/tail.ts",
  ],
  [
    "lib/errors.ts",
    "lib/event-store.ts",
    "lib/frames.ts",
    "lib/exchange/era-memory.ts",
    "lib/incoming.ts",
    "lib/jsonrpc.ts",
    "lib/logger.ts",
    "lib/secrets.ts",
  ],
  [
    "lib/descriptors.ts",
    "lib/digest.ts",
    "lib/memory.ts",
    "lib/patterns.ts",
    "lib/programs.ts",
    "lib/pieces.ts",
    "lib/promises.ts",
    "lib/rawjson.ts",
    "lib/revisions.ts",
    "lib/security-headers.ts",
    "lib/version.ts",
  ],
];

const HTTP_SERVERS = /^(@hono\/.+|hono|express|fastify|(node:)?https?|(node:)?http2)(\/|$)/;
const PLATFORMS = /^(@vercel\/|@aws-sdk\/|@types\/aws-|aws-)/;
const ADAPTER_TOOLS = /^(pino|commander)(\/|-|$)/;
const PROCESSES = /^(execa|(node:)?child_process)(\/|$)/;
const SDK = /^@modelcontextprotocol\//;

/** What a file may not import from outside: where the rule holds, what it names, and why. */
const PACKAGE_RULES = [
  {
    where: isCore,
    what: HTTP_SERVERS,
    reason: "the core speaks Request and Response: an HTTP server belongs in lib/adapters",
  },
  {
    where: isCore,
    what: PLATFORMS,
    reason: "the core knows no platform: write the few fields it reads as a type of its own",
  },
  {
    where: isCore,
    what: ADAPTER_TOOLS,
    reason: "the core takes a logger and options: pino and commander belong in lib/adapters and lib/cli",
  },
  { where: isNotChild, what: PROCESSES, valuesOnly: true, reason: "only lib/child.ts starts servers" },
  {
    where: () => true,
    what: SDK,
    valuesOnly: true,
    reason: "the SDK's code costs start-up time: use `import type`",
  },
];

function isCore(file) {
  return file.startsWith("lib/") && !/^lib\/(adapters|cli)\//.test(file);
}

function isNotChild(file) {
  // `mayfly build` runs npm, and a Node is asked for its options: both end by themselves. The guard must outlive us.
  const others = ["lib/processes/guard.ts", "lib/sandbox/node-program.ts", "lib/build/npm.ts"];
  return file !== "lib/child.ts" && !others.includes(file);
}

function main(root) {
  const files = sourcesIn(root);
  const violations = files.flatMap((file) => violationsOf(root, file));
  for (const { file, line, text } of violations) console.error(`${file}:${line}: ${text}`);
  console.error(`${files.length} files, ${violations.length} imports in the wrong direction`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}

function sourcesIn(root) {
  return ["api", "lib"]
    .filter((folder) => statSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory())
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)),
    )
    .filter((file) => /\.[cm]?[jt]s$/.test(file))
    .map((file) => file.split(sep).join("/"))
    .toSorted();
}

function violationsOf(root, file) {
  if (layerOf(file) === -1) {
    return [
      {
        file,
        line: 1,
        text: "has no place among the layers: place it in LAYERS of scripts/import-directions.mjs",
      },
    ];
  }
  return importsOf(join(root, file)).flatMap(({ specifier, typeOnly, line }) =>
    reasonsAgainst(root, file, specifier, typeOnly).map((reason) => ({
      file,
      line,
      text: `imports "${specifier}": ${reason}`,
    })),
  );
}

function reasonsAgainst(root, file, specifier, typeOnly) {
  if (specifier.startsWith(".")) return reasonsAgainstFile(root, file, specifier);
  return PACKAGE_RULES.filter(
    ({ where, what, valuesOnly }) => where(file) && what.test(specifier) && !(valuesOnly && typeOnly),
  ).map(({ reason }) => reason);
}

function reasonsAgainstFile(root, file, specifier) {
  const target = relative(root, resolve(root, dirname(file), specifier))
    .split(sep)
    .join("/");
  const layer = layerOf(target);
  if (layer === -1) return [`${target} is not a file of api/ or lib/ that has a place in LAYERS`];
  return layer < layerOf(file) ? [`${target} is a layer above`] : [];
}

function layerOf(file) {
  return LAYERS.findIndex((patterns) =>
    patterns.some((pattern) =>
      pattern.endsWith("*") ? file.startsWith(pattern.slice(0, -1)) : pattern === file,
    ),
  );
}

/** Every import of a file: declarations, re-exports, `import()` and `import("...")` types. */
function importsOf(path) {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    const imported = importedBy(node);
    if (imported && ts.isStringLiteralLike(imported.specifier)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push({ specifier: imported.specifier.text, typeOnly: imported.typeOnly, line: line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function importedBy(node) {
  if (ts.isImportDeclaration(node)) {
    return {
      specifier: node.moduleSpecifier,
      typeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
    };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
    return { specifier: node.moduleSpecifier, typeOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: node.argument.literal, typeOnly: true };
  }
  if (
    ts.isCallExpression(node) &&
    node.expression.kind === ts.SyntaxKind.ImportKeyword &&
    node.arguments[0]
  ) {
    return { specifier: node.arguments[0], typeOnly: false };
  }
  return undefined;
}

main(resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url))));
