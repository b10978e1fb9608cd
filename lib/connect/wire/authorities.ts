import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as tls from "node:tls";
import type { SecureContext } from "node:tls";

import { ConfigurationError } from "../../configuration/error.ts";

/**
 * What is trusted: the authorities of Node, those of its NODE_EXTRA_CA_CERTS, and others. Made once, since reading all
 * of them takes some milliseconds.
 * @param ca in PEM, one or more
 * @returns undefined without others: then Node does it itself
 * @throws ConfigurationError for what is not in PEM
 */
export function trusting(ca: string | Buffer | undefined): SecureContext | undefined {
  if (ca === undefined) return undefined;
  try {
    return tls.createSecureContext({ ca: [...nodesOwn(), ...certificatesIn(ca.toString())] });
  } catch (cause) {
    throw new ConfigurationError("the certificate authorities are not certificates in PEM", { cause });
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Node would leave out what it cannot read. */
function certificatesIn(pem: string): string[] {
  const found = pem.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw new Error("there is no certificate");
  return found.map((text) => new X509Certificate(text).toString());
}

/** Node 22.15 and later say what they trust, with what the user has told Node itself. */
function nodesOwn(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: "default") => string[] };
  return getCACertificates?.("default") ?? [...tls.rootCertificates, ...extra()];
}

/** Node ignores a file that it cannot read, with a warning of its own. */
function extra(): string[] {
  const { NODE_EXTRA_CA_CERTS: path = "" } = process.env;
  try {
    return path === "" ? [] : [readFileSync(path, "utf8")];
  } catch {
    return [];
  }
}
