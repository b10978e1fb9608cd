import { deepEqual, doesNotMatch, equal, match, rejects } from "node:assert/strict";
import { test } from "node:test";

import type { RemoteHttp } from "../../../lib/connect/wire/http.ts";
import { within } from "../../support/deadline.ts";
import { startProxy } from "../../support/proxy.ts";
import { PEM } from "../../support/tls.ts";
import { serveWire, wireTarget } from "../../support/wire.ts";

const WAIT_MS = 15_000;
const NEVER = new AbortController().signal;
const TLS = { cert: PEM.leaf + PEM.intermediate, key: PEM.key };

/** The URL with a host that is not this machine, and which only the proxy of the test knows. */
function elsewhere(url: URL): URL {
  const named = new URL(url);
  named.hostname = "remote.test";
  return named;
}

async function ask(http: RemoteHttp, url: URL): Promise<string> {
  const sent = { headers: {}, body: "{}", signal: NEVER, what: "tools/call" };
  const { status, body } = await http.request("POST", url, sent);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return `${status} ${Buffer.concat(chunks).toString()}`;
}

test("a server of http is asked through the proxy by its whole URL, with the proxy's credentials for the proxy", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) => response.end("there"));
  const proxy = await startProxy(t);
  const remote = elsewhere(new URL("/mcp?key=value#hash", url));
  const variables = { HTTP_PROXY: proxy.url.replace("http://", "http://some%20one:pass@") };
  const { http } = await wireTarget(t, remote, { variables, headers: { "X-Key": "key" } });
  equal(await ask(http, remote), "200 there");
  const basic = `Basic ${Buffer.from("some one:pass").toString("base64")}`;
  deepEqual(
    proxy.asked.map(({ line, headers }) => [line, headers["proxy-authorization"], headers.host]),
    [[`POST http://${remote.host}/mcp?key=value`, basic, remote.host]],
  );
  equal(asked[0]?.headers.host, remote.host);
  equal(asked[0]?.headers["x-key"], "key");
});

test("a server of https is asked through a tunnel, of which the proxy sees the host alone", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) => response.end("there"), TLS);
  const proxy = await startProxy(t);
  const remote = elsewhere(url);
  const variables = { https_proxy: proxy.url.replace("http://", "http://user:pass@") };
  // The certificate of the test is for this machine, and is asked for by this name.
  const headers = { Host: "localhost", "X-Key": "key" };
  const { http } = await wireTarget(t, remote, { variables, headers, ca: PEM.root });
  equal(await ask(http, remote), "200 there");
  equal(await ask(http, remote), "200 there");
  const [first] = proxy.asked;
  equal(first?.line, `CONNECT ${remote.host}`);
  equal(first?.headers["proxy-authorization"], `Basic ${Buffer.from("user:pass").toString("base64")}`);
  equal(first?.headers["x-key"], undefined);
  equal(asked.length, 2);
  equal(asked[0]?.headers["proxy-authorization"], undefined);
});

test("a certificate is checked behind a tunnel as it is without one", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) => response.end("there"), TLS);
  const proxy = await startProxy(t);
  const remote = elsewhere(url);
  const variables = { HTTPS_PROXY: proxy.url };
  const { http } = await wireTarget(t, remote, { variables, ca: PEM.root });
  await within(
    rejects(ask(http, remote), { code: "REMOTE_UNREACHABLE", message: /not trusted: it is for other names/ }),
    WAIT_MS,
    "the refusal of the name",
  );
  const { http: plain } = await wireTarget(t, remote, { variables });
  await rejects(ask(plain, remote), {
    code: "REMOTE_UNREACHABLE",
    message: /its authority is not known here/,
  });
  equal(asked.length, 0);
});

for (const [status, words] of [
  [407, /the proxy wants other credentials/],
  [403, /the proxy refused: HTTP 403/],
] as const) {
  test(`a proxy that answers ${status} has sent nothing on`, async (t) => {
    const { url, asked } = await serveWire(t, (_request, response) => response.end());
    const proxy = await startProxy(t, status);
    const proxied = proxy.url.replace("http://", "http://user:proxy-secret@");
    const { http } = await wireTarget(t, url, { variables: { ALL_PROXY: proxied } });
    const secure = new URL(elsewhere(url).href.replace("http:", "https:"));
    await rejects(ask(http, secure), (error: Error & { code?: string }) => {
      equal(error.code, "REMOTE_UNREACHABLE");
      match(error.message, words);
      doesNotMatch(error.message, /proxy-secret/);
      return true;
    });
    if (status === 407)
      await rejects(ask(http, elsewhere(url)), { code: "REMOTE_UNREACHABLE", message: words });
    else equal(await ask(http, elsewhere(url)), "403 ");
    equal(asked.length, 0);
  });
}

test("a proxy that is not there is told as such", async (t) => {
  const { url } = await serveWire(t, (_request, response) => response.end());
  const { http } = await wireTarget(t, url, { variables: { ALL_PROXY: "http://user:secret@127.0.0.1:1" } });
  for (const remote of ["http://remote.test/", "https://remote.test/"]) {
    await rejects(ask(http, new URL(remote)), {
      code: "REMOTE_UNREACHABLE",
      message: /\(the proxy: connection refused\)/,
    });
  }
});

test("closing ends the wait for a proxy that says nothing", async (t) => {
  const proxy = await startProxy(t, 0);
  const remote = new URL("https://remote.test/");
  const { http } = await wireTarget(t, remote, { variables: { ALL_PROXY: proxy.url } });
  const asking = rejects(ask(http, remote), { name: "MayflyError" });
  await new Promise((resolve) => setImmediate(resolve));
  await within(http.close(), WAIT_MS, "the closing");
  await within(asking, WAIT_MS, "the end of the request");
});

test("NO_PROXY and this machine are asked for directly", async (t) => {
  const { url, asked } = await serveWire(t, (_request, response) => response.end("there"));
  const proxy = await startProxy(t);
  const { http } = await wireTarget(t, url, { variables: { ALL_PROXY: proxy.url, NO_PROXY: "remote.test" } });
  equal(await ask(http, url), "200 there");
  await rejects(ask(http, new URL("http://remote.test/")), { code: "REMOTE_UNREACHABLE" });
  equal(asked.length, 1);
  equal(proxy.asked.length, 0);
});

test("headers that go to a stranger's network unencrypted are warned of once, without their values", async (t) => {
  const { url } = await serveWire(t, (_request, response) => response.end("there"));
  const proxy = await startProxy(t);
  const remote = elsewhere(new URL("/mcp?token=secret-1", url));
  const target = await wireTarget(t, remote, {
    variables: { HTTP_PROXY: proxy.url },
    headers: { "X-Key": "secret-2" },
  });
  await ask(target.http, url);
  equal(target.lines.length, 0);
  await ask(target.http, remote);
  await ask(target.http, remote);
  equal(target.lines.length, 1);
  match(target.lines[0] ?? "", /^warn Headers go there unencrypted.*remote\.test/);
  doesNotMatch(target.lines[0] ?? "", /secret/);
});
