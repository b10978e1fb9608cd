import type { Server } from "node:http";
import { isIPv6 } from "node:net";
import type { AddressInfo } from "node:net";

const LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"];
const LOCAL_IPV6 = "::1";

/** Whether only programs of this machine reach it. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === LOCAL_IPV6 || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** What a Host header may say there: an address of IPv6 has brackets. */
export function localNames(host: string): readonly string[] {
  return host === LOCAL_IPV6 ? LOCAL_NAMES : [...LOCAL_NAMES, host];
}

/** Resolves when the server listens. @throws what the system says, in words that help where those are known */
export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(explained(error, host, port));
    server.once("error", fail).listen(port, host, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function explained(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const address = authorityOf(host, port);
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `${address} is in use by another program: choose another port`,
    EACCES: `${address} needs more rights than this program has: choose another port`,
    EADDRNOTAVAIL: `${host} is no address of this machine: choose another host`,
    ENOTFOUND: `${host} is not known: choose another host`,
    EAI_AGAIN: `${host} is not known: choose another host`,
  };
  const reason = reasons[cause.code ?? ""];
  return reason === undefined ? cause : new Error(reason, { cause });
}

export function urlOf({ address, port }: AddressInfo, scheme: string): string {
  return `${scheme}://${authorityOf(address, port)}`;
}

/** Host and port as a URL has them. */
function authorityOf(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
