import { ConfigurationError } from "../configuration/error.ts";
import { expand } from "../configuration/expand.ts";
import type { Variables } from "../configuration/expand.ts";
import { secretsOf } from "../connect/wire/header-rules.ts";
import type { GivenHeader } from "./connect-headers.ts";

/** Where the remote server is. */
export interface AskedUrl {
  /** Without a user and a password. */
  readonly url: URL;
  /** What became of these. */
  readonly headers: readonly GivenHeader[];
  /** What no log may show. */
  readonly secrets: readonly string[];
}

/** Of other programs, for a URL that should not stand in the arguments. */
const VARIABLE = "SSE_URL";

/**
 * @param written `${VAR}` is replaced in it; without one, the variable `SSE_URL` has it
 * @throws ConfigurationError that does not quote it: it may hold a key
 */
export function readUrl(written: string | undefined, variables: Variables): AskedUrl {
  const text = written ?? variables[VARIABLE];
  if (!text) throw new ConfigurationError("connect: no URL: name a remote server, as https://HOST/mcp");
  const name = written === undefined ? VARIABLE : "URL";
  const expanded = expand(text, variables, name).trim();
  if (!/^https?:\/\//i.test(expanded)) {
    throw new ConfigurationError(`connect: ${name} must begin with https:// or http://, as https://HOST/mcp`);
  }
  if (!URL.canParse(expanded)) {
    throw new ConfigurationError(`connect: ${name} is no URL, as https://HOST/mcp would be`);
  }
  const url = new URL(expanded);
  const headers = basicHeaders(url, name);
  const secrets = secretsOf({}, url);
  url.username = url.password = url.hash = "";
  return { url, headers, secrets };
}

/** As every client sends them, and also where a server names another URL for its messages. Source: RFC 7617. */
function basicHeaders({ username, password }: URL, writtenAs: string): GivenHeader[] {
  if (username === "" && password === "") return [];
  const pair = [username, password].map(decoded);
  const value = `Basic ${Buffer.from(pair.join(":")).toString("base64")}`;
  return [{ name: "Authorization", value, writtenAs, isVariable: false }];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that begins no escape: meant as it stands.
    return text;
  }
}
