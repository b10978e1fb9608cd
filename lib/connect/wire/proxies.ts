import { BlockList, isIP, isIPv6 } from "node:net";

import { isLoopback } from "./header-rules.ts";
import { ConnectFailed } from "./network-errors.ts";

/** Variables as a program gets them. */
type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL, as the usual variables name it: `HTTPS_PROXY` or `HTTP_PROXY` for the scheme of the URL, else
 * `ALL_PROXY`, unless `NO_PROXY` names the host. Small letters count before capitals, as with curl. Unlike with curl,
 * this machine is never asked for through a proxy, which would look for it where it runs itself.
 * @throws ConnectFailed for a proxy that is not one of HTTP; names the variable, and not its value
 */
export function proxyFor(url: URL, variables: Variables): URL | undefined {
  const { name, value } = found(variables, url.protocol === "https:" ? "https_proxy" : "http_proxy");
  if (value === "" || isLoopback(url.hostname) || isExcepted(url, valueOf(variables, "no_proxy")))
    return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text)) throw flawed(name, "is no URL");
  const proxy = new URL(text);
  if (proxy.protocol === "http:" || proxy.protocol === "https:") return proxy;
  throw flawed(
    name,
    `is a ${proxy.protocol.slice(0, -1)} proxy, which Mayfly does not use: give one of http`,
  );
}

function flawed(name: string, what: string): ConnectFailed {
  return new ConnectFailed(undefined, `the proxy in ${name.toUpperCase()} ${what}`);
}

function found(variables: Variables, own: string): { name: string; value: string } {
  const value = valueOf(variables, own);
  return value === "" ? { name: "all_proxy", value: valueOf(variables, "all_proxy") } : { name: own, value };
}

function valueOf(variables: Variables, name: string): string {
  return (variables[name] ?? variables[name.toUpperCase()] ?? "").trim();
}

const PORTS: Readonly<Record<string, string>> = { "https:": "443", "http:": "80" };

/** Whether an entry is the host, a name above it, or a network that it is in; with a port, only at that. */
function isExcepted({ protocol, hostname, port }: URL, list: string): boolean {
  const host = withoutBrackets(hostname).toLowerCase().replace(/\.$/, "");
  const ownPort = port === "" ? PORTS[protocol] : port;
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const { name, port: onlyPort } = entryOf(entry);
      return (onlyPort === undefined || onlyPort === ownPort) && covers(name, host);
    });
}

/** `host`, `host:port`, `[::1]`, `[::1]:port`, `::1`. */
function entryOf(entry: string): { name: string; port: string | undefined } {
  const [, name = entry, port] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  return { name: withoutBrackets(name).toLowerCase(), port };
}

function covers(name: string, host: string): boolean {
  if (name === "*") return true;
  if (isIP(host) !== 0) return name === host || isInNetwork(name, host);
  const suffix = name.replace(/^\*?\./, "").replace(/\.$/, "");
  return suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
}

function isInNetwork(name: string, address: string): boolean {
  const [, network = "", bits = ""] = /^(.*)\/(\d{1,3})$/.exec(name) ?? [];
  const family = isIPv6(network) ? "ipv6" : "ipv4";
  if (isIP(network) === 0 || Number(bits) > (family === "ipv6" ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
