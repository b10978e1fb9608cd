import { deepEqual, doesNotMatch, equal, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import { ConfigurationError } from "../../../lib/configuration/error.ts";
import { readEvents } from "../../../lib/connect/wire/events.ts";
import { createRemoteHttp } from "../../../lib/connect/wire/http.ts";
import type { HttpAnswer, RemoteHttp } from "../../../lib/connect/wire/http.ts";
import { deferred } from "../../../lib/promises.ts";
import { until, within } from "../../support/deadline.ts";
import { PEM } from "../../support/tls.ts";
import { bodyOf, serveWire, wireTarget } from "../../support/wire.ts";

const WAIT_MS = 15_000;
const NEVER = new AbortController().signal;
const TLS = { cert: PEM.leaf + PEM.intermediate, key: PEM.key };

function post(
  http: RemoteHttp,
  url: URL,
  signal = NEVER,
  headers: Record<string, string> = {},
): Promise<HttpAnswer> {
  return http.request("POST", url, { headers, body: '{"secret":"in the body"}', signal, what: "tools/call" });
}

async function textOf({ body }: HttpAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A server below HTTP. */
async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("the headers of the user go with every request, and those of the URL's user info", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) => response.end());
  const { http } = await wireTarget(t, url, { headers: { "X-Api-Key": " key ", "User-Agent": "mine" } });
  await textOf(await post(http, url));
  const named = new URL(url);
  named.username = "some%20one";
  named.password = "p:w";
  await textOf(await post(http, named));
  deepEqual(
    asked.map(({ headers }) => [headers["x-api-key"], headers["user-agent"], headers.authorization]),
    [
      ["key", "mine", undefined],
      ["key", "mine", `Basic ${Buffer.from("some one:p:w").toString("base64")}`],
    ],
  );
  equal(asked[0]?.headers["accept-encoding"], "identity");
});

const BAD_HEADERS: readonly [string, string][] = [
  ["X-Key", "secret\r\nHost: evil"],
  ["X-Key", "secret\0"],
  ["X-Key", "secret\u2028"],
  ["X Key", "secret"],
  ["X-Key:", "secret"],
  ["", "secret"],
  ["Content-Length", "5"],
  ["transfer-encoding", "chunked"],
  ["Connection", "close"],
  ["Mcp-Session-Id", "secret"],
  ["MCP-Protocol-Version", "secret"],
  ["Mcp-Param-Region", "secret"],
  ["Accept", "secret"],
  ["Content-Type", "secret"],
];

for (const [name, value] of BAD_HEADERS) {
  test(`the header ${JSON.stringify(name)} of ${JSON.stringify(value)} is refused by its name`, async () => {
    const creating = createRemoteHttp({ headers: { [name]: value }, variables: {} });
    await rejects(creating, (error: unknown) => {
      ok(error instanceof ConfigurationError);
      ok(error.message.includes(JSON.stringify(name)));
      doesNotMatch(error.message, /secret/);
      return true;
    });
  });
}

test("a header that is given twice is refused", async () => {
  await rejects(createRemoteHttp({ headers: { "X-Key": "a", "x-key": "b" }, variables: {} }), /given twice/);
});

test("a redirect to the same place is followed as it was sent, on the same connection", async (t) => {
  const bodies: string[] = [];
  let connections = 0;
  const { url, asked, server } = await serveWire(t, async (request, response) => {
    bodies.push(await bodyOf(request));
    if (request.url === "/mcp") response.writeHead(307, { Location: "/mcp/" }).end();
    else response.end("there");
  });
  server.on("connection", () => (connections += 1));
  const { http } = await wireTarget(t, url, { headers: { "X-Key": "key" } });
  const answer = await post(http, url);
  equal(await textOf(answer), "there");
  equal(answer.url.pathname, "/mcp/");
  deepEqual(
    asked.map(({ line, headers }) => [line, headers["x-key"]]),
    [
      ["POST /mcp", "key"],
      ["POST /mcp/", "key"],
    ],
  );
  equal(bodies[0], bodies[1]);
  // undici leaves a connection a turn of the loop before it uses it again.
  for (let call = 0; call < 5; call += 1) await textOf(await post(http, url));
  ok(connections <= 2, `${connections} connections`);
});

test("a redirect from http to https of the same host is followed", async (t) => {
  const secure = await serveWire(t, (_request, response) => response.end("there"), TLS);
  const plain = await serveWire(t, (_request, response) =>
    response.writeHead(308, { Location: secure.url.href }).end(),
  );
  const { http } = await wireTarget(t, plain.url, { ca: PEM.root });
  equal(await textOf(await post(http, plain.url)), "there");
});

const STRANGERS: Readonly<Record<string, (url: URL) => void>> = {
  "another port": () => undefined,
  "another host": (url) => {
    url.hostname = "localhost";
  },
  "another scheme": (url) => {
    url.protocol = "https:";
  },
};

for (const [name, change] of Object.entries(STRANGERS)) {
  test(`a redirect to ${name} is not followed, and no header goes there`, async (t) => {
    const stranger = await serveWire(t, (_request, response) => response.end());
    const target = new URL("/path?token=secret", stranger.url);
    change(target);
    // From https to http is another place, and so is any other port.
    const own = await serveWire(
      t,
      (_request, response) => response.writeHead(307, { Location: target.href }).end(),
      TLS,
    );
    const { http } = await wireTarget(t, own.url, { headers: { "X-Key": "key" }, ca: PEM.root });
    await rejects(post(http, own.url), (error: Error) => {
      match(
        error.message,
        /refused tools\/call: HTTP 307: it redirects to https?:\/\/[a-z0-9.]+:\d+: if that is meant/,
      );
      doesNotMatch(error.message, /secret|path/);
      return true;
    });
    equal(stranger.asked.length, 0);
  });
}

test("a POST is not turned into a GET by a redirect, and a GET is redirected by any", async (t) => {
  const { url, asked } = await serveWire(t, (request, response) => {
    if (request.url === "/mcp") response.writeHead(302, { Location: "/login" }).end();
    else response.end("page");
  });
  const { http } = await wireTarget(t, url);
  await rejects(post(http, url), {
    code: "REMOTE_REFUSED",
    message: new RegExp(
      `302: it redirects to ${url.origin}/login, but a POST must not be sent on: .* give that URL$`,
    ),
  });
  equal(asked.length, 1);
  equal(await textOf(await http.request("GET", url, { headers: {}, signal: NEVER })), "page");
});

test("a redirect that repeats a key in its path does not bring it into an error", async (t) => {
  const { url } = await serveWire(t, (_request, response) =>
    response.writeHead(301, { Location: "/login/s3cret-key?to=s3cret-key" }).end(),
  );
  const { http } = await wireTarget(t, url, { headers: { "X-Key": "s3cret-key" } });
  await rejects(post(http, url), (error: Error) => {
    match(error.message, /redirects to .*\/login\//);
    doesNotMatch(error.message, /s3cret/);
    return true;
  });
});

test("a redirect to what is not on the web is refused", async (t) => {
  const { url } = await serveWire(t, (request, response) => {
    response.writeHead(307, { Location: request.url === "/mcp" ? "file:///etc/passwd" : "http://[" }).end();
  });
  const { http } = await wireTarget(t, url);
  await rejects(post(http, url), { code: "REMOTE_REFUSED", message: /to what is not on the web$/ });
  await rejects(post(http, new URL("/else", url)), { code: "REMOTE_REFUSED", message: /to what is no URL$/ });
});

test("redirects that lead in a circle end", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) =>
    response.writeHead(307, { Location: "/mcp" }).end(),
  );
  const { http } = await wireTarget(t, url);
  await rejects(post(http, url), { code: "REMOTE_REFUSED", message: /more than 5 times/ });
  equal(asked.length, 6);
});

test("an authority of one's own is trusted, and what it has not signed is not", async (t) => {
  const { url } = await serveWire(t, (_request, response) => response.end("there"), TLS);
  const { http } = await wireTarget(t, url, { ca: PEM.root });
  equal(await textOf(await post(http, url)), "there");
  const { http: plain } = await wireTarget(t, url);
  await rejects(post(plain, url), {
    code: "REMOTE_UNREACHABLE",
    message: /the certificate is not trusted: its authority is not known here, and --ssl-ca does not name it/,
  });
  const other = await serveWire(t, (_request, response) => response.end(), {
    cert: PEM.other,
    key: PEM.otherKey,
  });
  await rejects(post(http, other.url), {
    code: "REMOTE_UNREACHABLE",
    message: /it is self-signed, and --ssl-ca does not name it\)/,
  });
});

test("no variable turns the checking of certificates off", async (t) => {
  const name = "NODE_TLS_REJECT_UNAUTHORIZED";
  const { [name]: before } = process.env;
  process.env[name] = "0";
  t.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
  const { url, asked } = await serveWire(t, (_request, response) => response.end(), TLS);
  const { http } = await wireTarget(t, url);
  await rejects(post(http, url), { code: "REMOTE_UNREACHABLE", message: /not trusted/ });
  equal(asked.length, 0);
});

test("authorities that are no certificates are refused at the start", async () => {
  for (const ca of ["", "nonsense", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"]) {
    await rejects(createRemoteHttp({ headers: {}, variables: {}, ca }), ConfigurationError);
  }
});

test("http to a port of TLS, and https to one of http, say what is wrong", async (t) => {
  const plain = await serveWire(t, (_request, response) => response.end());
  const wrong = new URL(plain.url.href.replace("http:", "https:"));
  const { http } = await wireTarget(t, plain.url);
  await rejects(post(http, wrong), { code: "REMOTE_UNREACHABLE", message: /no TLS there/ });
});

test("what cannot be connected was not sent", async (t) => {
  const gone = createTcpServer();
  const port = await listening(t, gone);
  gone.close();
  const url = new URL(`http://127.0.0.1:${port}/?token=secret`);
  const { http } = await wireTarget(t, url);
  const tries = await Promise.allSettled([post(http, url), post(http, url), post(http, url)]);
  for (const one of tries) {
    equal(one.status, "rejected");
    equal(one.reason.code, "REMOTE_UNREACHABLE");
    match(one.reason.message, /\(connection refused\): nothing was sent/);
  }
  await rejects(post(http, new URL("http://host.invalid/")), {
    code: "REMOTE_UNREACHABLE",
    message: /no such host|cannot be looked up/,
  });
});

test("a header that no request can have is not sent, and breaks nothing else", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) => response.end("there"));
  const { http } = await wireTarget(t, url);
  const unsendable = post(http, url, NEVER, { "last-event-id": "a\nb" });
  await rejects(unsendable, { code: "REMOTE_UNREACHABLE" });
  equal(asked.length, 0);
  equal(await textOf(await post(http, url)), "there");
});

test("what breaks after the request was written may have been carried out", async (t) => {
  const { url } = await serveWire(t, (request, response) => {
    if (request.url === "/cut") request.socket.destroy();
    else if (request.url === "/reset") request.socket.resetAndDestroy();
    else response.socket?.end("nonsense\r\n\r\n");
  });
  const { http } = await wireTarget(t, url);
  for (const path of ["/cut", "/reset", "/nonsense"]) {
    await rejects(post(http, new URL(path, url)), {
      code: "REMOTE_LOST",
      message: /tools\/call, which it may have/,
    });
  }
});

test("a connection that the server has closed meanwhile is not used again", async (t) => {
  let connections = 0;
  const { url, server } = await serveWire(t, (_request, response) => response.end("there"));
  server.on("connection", () => (connections += 1));
  const { http } = await wireTarget(t, url);
  for (let round = 1; round <= 5; round += 1) {
    equal(await textOf(await post(http, url)), "there");
    server.closeIdleConnections();
    await until(async () => (await connectionsOf(server)) === 0, {
      withinMs: WAIT_MS,
      label: "no connection",
    });
    equal(connections, round);
  }
});

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

test("calls one after another share a connection", async (t) => {
  let connections = 0;
  const { url, server } = await serveWire(t, (_request, response) => response.end("there"));
  server.on("connection", () => (connections += 1));
  const { http } = await wireTarget(t, url);
  for (let call = 0; call < 50; call += 1) await textOf(await post(http, url));
  // undici leaves a connection a turn of the loop before it uses it again.
  ok(connections <= 2, `${connections} connections`);
});

for (const [encoding, encode] of Object.entries({
  gzip: gzipSync,
  br: brotliCompressSync,
  deflate: deflateSync,
})) {
  test(`a body that comes in ${encoding} is decoded`, async (t) => {
    const { url } = await serveWire(t, (_request, response) => {
      response.setHeader("Content-Encoding", encoding);
      response.end(encode("there"));
    });
    const { http } = await wireTarget(t, url);
    equal(await textOf(await post(http, url)), "there");
  });
}

test("a body of no bytes needs no decoding, and one that breaks off breaks", async (t) => {
  const { url } = await serveWire(t, (request, response) => {
    response.setHeader("Content-Encoding", "gzip");
    if (request.url === "/mcp") response.writeHead(202).end();
    else response.write(gzipSync("there").subarray(0, 12), () => response.destroy());
  });
  const { http } = await wireTarget(t, url);
  equal(await textOf(await post(http, url)), "");
  await rejects(textOf(await post(http, new URL("/broken", url))));
});

test("a body in an encoding of tomorrow is refused by its name", async (t) => {
  const { url } = await serveWire(t, (_request, response) => {
    response.setHeader("Content-Encoding", "zip9");
    response.end("there");
  });
  const { http } = await wireTarget(t, url);
  await rejects(post(http, url), {
    code: "REMOTE_NOT_MCP",
    message: /tools\/call with a body in the encoding zip9/,
  });
});

test("events that come compressed do not wait for the next one", async (t) => {
  const { createGzip } = await import("node:zlib");
  const { url } = await serveWire(t, (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Content-Encoding": "gzip" });
    const gzip = createGzip();
    gzip.pipe(response);
    gzip.write("data: one\n\n");
    gzip.flush();
    t.after(() => gzip.destroy());
  });
  const { http } = await wireTarget(t, url);
  const leaving = new AbortController();
  const { body } = await post(http, url, leaving.signal);
  const events = readEvents(body, 1024, NEVER);
  equal((await within(events.next(), WAIT_MS, "the event")).value?.data, "one");
  leaving.abort();
  equal((await within(events.next(), WAIT_MS, "the end")).done, true);
});

test("a server writes no more than somebody reads", async (t) => {
  let written = 0;
  const full = deferred();
  const { url } = await serveWire(t, (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const write = (): void => {
      while (!response.destroyed && written < 256 * 1024 * 1024) {
        written += 65_536;
        if (!response.write(`data: ${"x".repeat(65_528)}\n\n`)) {
          const stuck = setTimeout(() => full.resolve(), 300);
          response.once("drain", () => {
            clearTimeout(stuck);
            write();
          });
          return;
        }
      }
    };
    write();
  });
  const { http } = await wireTarget(t, url);
  const { body } = await post(http, url);
  const events = readEvents(body, 1024 * 1024, NEVER);
  await events.next();
  await within(full.promise, WAIT_MS, "a writer that waits");
  const before = written;
  ok(before < 64 * 1024 * 1024, `${before} bytes`);
  for (let count = 0; count * 65_536 < before; count += 1) await events.next();
  await until(() => written > before, { withinMs: WAIT_MS, label: "more is written" });
  body.destroy();
});

test("a signal ends a request, and later its body, with the connection", async (t) => {
  const { url, server } = await serveWire(t, (request, response) => {
    if (request.url === "/mcp") response.write("begin");
  });
  const { http } = await wireTarget(t, url);
  for (const path of ["/silent", "/mcp"]) {
    const leaving = new AbortController();
    const asking = post(http, new URL(path, url), leaving.signal);
    await within(once(server, "request"), WAIT_MS, "the request");
    if (path === "/mcp") {
      const { body } = await asking;
      leaving.abort();
      await until(() => body.destroyed, { withinMs: WAIT_MS, label: "the end of the body" });
    } else {
      leaving.abort(new Error("enough"));
      await rejects(asking, /enough/);
    }
    await until(async () => (await connectionsOf(server)) === 0, {
      withinMs: WAIT_MS,
      label: "no connection",
    });
  }
});

test("a signal ends a request for which a connection is still being made", async (t) => {
  const mute = createTcpServer((socket) => socket.resume().on("error", () => undefined));
  const url = new URL(`https://127.0.0.1:${await listening(t, mute)}/`);
  const { http } = await wireTarget(t, url);
  const leaving = new AbortController();
  const asking = post(http, url, leaving.signal);
  await until(async () => (await connectionsOf(mute)) === 1, { withinMs: WAIT_MS, label: "a connection" });
  leaving.abort(new Error("enough"));
  await within(rejects(asking, /enough/), 1000, "the end");
});

test("closing ends what is in flight, and what is being connected", async (t) => {
  const { url, server } = await serveWire(t, () => undefined);
  const mute = createTcpServer((socket) => socket.resume().on("error", () => undefined));
  const port = await listening(t, mute);
  const { http } = await wireTarget(t, url);
  const silent = post(http, url);
  const handshaking = post(http, new URL(`https://127.0.0.1:${port}/`));
  const ends = [rejects(silent, { code: "REMOTE_LOST" }), rejects(handshaking, { name: "MayflyError" })];
  await within(once(server, "request"), WAIT_MS, "the request");
  await until(async () => (await connectionsOf(mute)) === 1, { withinMs: WAIT_MS, label: "a connection" });
  await within(http.close(), WAIT_MS, "the closing");
  await within(Promise.all(ends), WAIT_MS, "the ends");
  for (const one of [server, mute]) {
    await until(async () => (await connectionsOf(one)) === 0, { withinMs: WAIT_MS, label: "no connection" });
  }
  await rejects(post(http, url), { code: "REMOTE_UNREACHABLE", message: /closed here/ });
});

test("values of headers and URLs are masked in what others say", async (t) => {
  const { url } = await serveWire(t, (_request, response) => response.end());
  const { http } = await wireTarget(t, url, {
    headers: { Authorization: "Bearer abcdefgh", "X-Key": "12345678" },
  });
  const named = new URL("?token=query%20secret&level=info", url);
  named.password = "pass%2Fword";
  await textOf(await post(http, named));
  const said = "Bearer abcdefgh, 12345678, query secret, query%20secret, pass/word, pass%2Fword, info";
  equal(http.mask(said), "***, ***, ***, ***, ***, ***, info");
  equal(http.mask("the Bearer token abcdefgh"), "the Bearer token ***");
});
