import { equal, throws } from "node:assert/strict";
import { test } from "node:test";

import { ConnectFailed } from "../../../lib/connect/wire/network-errors.ts";
import { proxyFor } from "../../../lib/connect/wire/proxies.ts";

const PROXY = "http://proxy.test:3128";

function chosen(url: string, variables: Record<string, string>): string | undefined {
  return proxyFor(new URL(url), variables)?.origin;
}

test("a proxy is chosen by the scheme of the URL, by small letters first, and by ALL_PROXY last", () => {
  equal(chosen("https://a.test/", {}), undefined);
  equal(chosen("https://a.test/", { HTTPS_PROXY: PROXY }), PROXY);
  equal(chosen("https://a.test/", { HTTP_PROXY: PROXY }), undefined);
  equal(chosen("http://a.test/", { HTTP_PROXY: PROXY }), PROXY);
  equal(chosen("http://a.test/", { HTTPS_PROXY: PROXY }), undefined);
  equal(chosen("http://a.test/", { ALL_PROXY: PROXY }), PROXY);
  equal(chosen("http://a.test/", { ALL_PROXY: "http://other.test", http_proxy: PROXY }), PROXY);
  equal(chosen("http://a.test/", { HTTP_PROXY: "http://other.test", http_proxy: PROXY }), PROXY);
  equal(chosen("http://a.test/", { HTTP_PROXY: "proxy.test:3128" }), PROXY);
  equal(chosen("http://a.test/", { HTTP_PROXY: "" }), undefined);
});

test("this machine is not asked for through a proxy", () => {
  for (const host of ["localhost", "LOCALHOST:8080", "a.localhost", "127.0.0.1", "127.8.8.8", "[::1]:3000"]) {
    equal(chosen(`http://${host}/`, { HTTP_PROXY: PROXY }), undefined, host);
  }
  equal(chosen("http://localhost.a.test/", { HTTP_PROXY: PROXY }), PROXY);
});

const NOT_THROUGH: readonly [string, string][] = [
  ["a.test", "https://a.test/"],
  ["a.test", "https://b.a.test/"],
  [".a.test", "https://a.test/"],
  [".a.test", "https://b.a.test/"],
  ["*.a.test", "https://b.a.test/"],
  ["A.Test", "https://a.tesT/"],
  ["x.test, a.test", "https://a.test/"],
  ["x.test a.test", "https://a.test/"],
  ["*", "https://a.test/"],
  ["a.test:443", "https://a.test/"],
  ["a.test:8443", "https://a.test:8443/"],
  ["10.1.2.3", "https://10.1.2.3/"],
  ["10.0.0.0/8", "https://10.1.2.3/"],
  ["fd00::1", "https://[fd00::1]/"],
  ["[fd00::1]:443", "https://[fd00::1]/"],
  ["fd00::/8", "https://[fd00::1]/"],
];

const THROUGH: readonly [string, string][] = [
  ["a.test", "https://ba.test/"],
  ["a.test", "https://test/"],
  ["a.test:80", "https://a.test/"],
  ["10.0.0.0/8", "https://11.1.2.3/"],
  ["10.0.0.0/99", "https://10.1.2.3/"],
  ["1.2.3", "https://10.1.2.3/"],
  ["fd00::/8", "https://10.1.2.3/"],
  [".", "https://a.test/"],
  ["", "https://a.test/"],
];

test("NO_PROXY names hosts, what is below them, networks and ports", () => {
  for (const [list, url] of NOT_THROUGH) {
    equal(chosen(url, { HTTPS_PROXY: PROXY, NO_PROXY: list }), undefined, `${list} ${url}`);
  }
  for (const [list, url] of THROUGH) {
    equal(chosen(url, { HTTPS_PROXY: PROXY, no_proxy: list }), PROXY, `${list} ${url}`);
  }
});

test("a proxy of another kind is named by its variable, without its credentials", () => {
  const url = new URL("https://a.test/");
  const isTold = (text: string) => (error: unknown) =>
    error instanceof ConnectFailed && error.detail === text;
  throws(
    () => proxyFor(url, { ALL_PROXY: "socks5://user:secret@proxy.test" }),
    isTold("the proxy in ALL_PROXY is a socks5 proxy, which Mayfly does not use: give one of http"),
  );
  throws(
    () => proxyFor(url, { https_proxy: "http://user:secret@:x" }),
    isTold("the proxy in HTTPS_PROXY is no URL"),
  );
});
