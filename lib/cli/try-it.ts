import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";

import type { RunningServer, ServeOptions } from "../adapters/node.ts";
import { exampleCall, exampleStream, quoted } from "./example.ts";
import type { Access } from "./example.ts";
import { missingPrograms } from "./missing-programs.ts";
import type { Settings } from "./serve-options.ts";

/**
 * Prints a line to try, and what is wrong with servers that cannot run.
 * @param path where the first server answers
 */
export async function printExample(
  server: RunningServer,
  options: ServeOptions,
  settings: Settings,
  path: string,
): Promise<void> {
  const [key, trust] = [options.authKeys?.[0], trustOf(server.url, options, settings)];
  const { allowedHosts } = options;
  const access = {
    ...(key !== undefined && { key }),
    ...(trust !== undefined && { trust }),
    ...(allowedHosts && { allowedHosts }),
  };
  if (options.transports?.includes("mcp")) await printCall(server, options, access, path);
  else await printStream(server, access, path);
}

async function printCall(
  server: RunningServer,
  options: ServeOptions,
  access: Access,
  path: string,
): Promise<void> {
  const asked = options.default ?? Object.keys(options.mcpServers)[0];
  const { line, failure } = await exampleCall(server, path, access);
  if (line !== undefined) printLine(line, access);
  else if (failure !== undefined) console.log(`The server "${asked}" did not list its tools: ${failure}`);
  else return;
  const others = missingPrograms(options).filter((missing) => missing.server !== asked);
  for (const missing of others) {
    console.log(`The server "${missing.server}" cannot run: there is no program "${missing.command}"`);
  }
}

async function printStream(server: RunningServer, access: Access, path: string): Promise<void> {
  const { line, failures } = await exampleStream(server, path, access);
  if (line !== undefined) printLine(line, access);
  for (const failure of failures) console.log(failure);
}

function printLine(line: string, { key, trust }: Access): void {
  const notes = [
    ...(key === undefined ? [] : ["set AUTH_KEY to the key first"]),
    ...(trust === INSECURE ? ["-k takes any certificate"] : []),
  ];
  console.log(`Try it${notes.length > 0 ? ` (${notes.join("; ")})` : ""}:\n\n${line}\n`);
}

const INSECURE = "-k";

/** The certificate is hardly ever for the address that is called here, and its authority often unknown to curl. */
function trustOf(url: string, { tls }: ServeOptions, { tlsFiles }: Settings): string | undefined {
  if (!tls) return undefined;
  const address = new URL(url).hostname.replace(/^\[|\]$/g, "");
  const isFor = new X509Certificate(tls.cert).checkIP(address) !== undefined;
  return isFor && tlsFiles?.ca !== undefined ? `--cacert ${quoted(resolve(tlsFiles.ca))}` : INSECURE;
}
