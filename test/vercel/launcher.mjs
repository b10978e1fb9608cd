// Stands in for Vercel's Node.js runtime and the router before it: argv[2] is the JSON that launch.ts writes.
// Left out on purpose: the body limit, regions, and the freeze between requests (see `settled` in launch.ts).
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { createReadStream, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const shutdownMs = 500;
const methods = new Set(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"]);

const settings = JSON.parse(process.argv[2]);
const routes = settings.routes.map((route) => ({ ...route, regexp: new RegExp(route.pattern) }));
const published = publishedFiles(settings.staticFolder);
const contexts = new AsyncLocalStorage();
const pending = new Set();

Object.defineProperty(globalThis, Symbol.for("@vercel/request-context"), {
  configurable: true,
  value: { get: () => contexts.getStore() },
});

// The runtime takes the function out of its object, so `this` is lost.
const { fetch: handle } = unwrapped(await import(pathToFileURL(resolve(settings.handler)).href));

const server = createServer((incoming, outgoing) => {
  answer(incoming, outgoing).catch((error) => fail(error, outgoing));
});

process.on("message", async () => {
  while (pending.size > 0) await Promise.all(pending);
  // The request whose callback settled the last promise counts as active until that callback returns.
  await turnOfTheLoop();
  process.send(leftInEventLoop());
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => {
  server.close();
  setTimeout(() => process.exit(), shutdownMs);
});

server.listen(0, "127.0.0.1");
await once(server, "listening");
// Both streams open at their first use: they must not look like something that the function left.
process.stderr.write("");
console.log(JSON.stringify({ port: server.address().port }));
const ownResources = process.getActiveResourcesInfo();

/** A module compiled to CommonJS arrives with more than one `default` around it. */
function unwrapped(module) {
  return module.default ? unwrapped(module.default) : module;
}

async function answer(incoming, outgoing) {
  const url = new URL(`https://${incoming.headers.host}${incoming.url}`);
  if (published.has(url.pathname)) return sendFile(published.get(url.pathname), outgoing);
  if (!routeToFunction(url)) return refuse(404, "NOT_FOUND", outgoing);
  if (!methods.has(incoming.method)) return refuse(405, "INVALID_REQUEST_METHOD", outgoing);
  const request = toRequest(url, incoming, await bodyOf(incoming), clientGone(outgoing));
  await contexts.run(contextOf(request), async () => send(await handle(request), outgoing));
}

/** True when the path leads to the function. It keeps the path; named parameters go into the query. */
function routeToFunction(url) {
  if (url.pathname === settings.functionPath) return true;
  const route = routes.find(({ regexp }) => regexp.test(url.pathname));
  const values = route?.regexp.exec(url.pathname).slice(1) ?? [];
  for (const [index, name] of (route?.parameters ?? []).entries()) {
    if (name !== null) url.search += `${url.search ? "&" : "?"}${name}=${values[index] ?? ""}`;
  }
  return route !== undefined;
}

/** The platform has read the whole body before the function starts. */
async function bodyOf(incoming) {
  const chunks = await incoming.toArray();
  return ["GET", "HEAD"].includes(incoming.method) ? null : new Blob(chunks).stream();
}

function toRequest(url, incoming, body, signal) {
  const { method } = incoming;
  const headers = new Headers(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  headers.set("x-forwarded-for", incoming.socket.remoteAddress);
  headers.set("x-forwarded-host", url.host);
  headers.set("x-forwarded-proto", "https");
  return new Request(url, { method, headers, body, signal, duplex: "half" });
}

/** Only a function with `supportsCancellation` hears that its client went away. */
function clientGone(outgoing) {
  const controller = new AbortController();
  outgoing.once("close", () => {
    if (settings.supportsCancellation && !outgoing.writableFinished) controller.abort();
  });
  return controller.signal;
}

function contextOf(request) {
  return {
    waitUntil: keepUntil,
    deadline: new Date(Date.now() + settings.maxDurationSeconds * 1000).toISOString(),
    headers: Object.fromEntries(request.headers),
    url: request.url,
  };
}

function keepUntil(promise) {
  const kept = Promise.resolve(promise)
    .catch((error) => console.error("waitUntil:", error))
    .finally(() => pending.delete(kept));
  pending.add(kept);
}

/** Sockets are left out: those of waiting clients look the same. */
function leftInEventLoop() {
  const own = [...ownResources];
  return process.getActiveResourcesInfo().filter((name) => {
    const index = own.indexOf(name);
    if (index !== -1) own.splice(index, 1);
    return index === -1 && name !== "TCPSocketWrap";
  });
}

async function send(response, outgoing) {
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
  outgoing.flushHeaders();
  if (response.body) await sendBody(response.body, outgoing);
  outgoing.end();
}

// As Vercel's own handler does, reads on when the client has left: only the signal tells the function.
async function sendBody(body, outgoing) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (!outgoing.destroyed && !outgoing.write(value)) await drained(outgoing);
  }
}

function drained(outgoing) {
  return new Promise((resolve) => {
    const finish = () => {
      outgoing.off("drain", finish);
      outgoing.off("close", finish);
      resolve();
    };
    outgoing.on("drain", finish);
    outgoing.on("close", finish);
  });
}

function fail(error, outgoing) {
  console.error(error);
  if (outgoing.headersSent) outgoing.destroy();
  else refuse(500, "FUNCTION_INVOCATION_FAILED", outgoing);
}

function refuse(status, code, outgoing) {
  outgoing.writeHead(status, { "content-type": "text/plain", "x-vercel-error": code });
  outgoing.end(code);
}

function sendFile(path, outgoing) {
  outgoing.setHeader("content-type", path.endsWith(".html") ? "text/html" : "application/octet-stream");
  createReadStream(path).pipe(outgoing);
}

/** URL path to file, so that no path of a request ever reaches the disk. */
function publishedFiles(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const paths = files.map((file) => [file.slice(folder.length).split("\\").join("/"), file]);
  const indexes = paths.map(([path, file]) => [path.replace(/index\.html$/, ""), file]);
  return new Map([...paths, ...indexes]);
}
