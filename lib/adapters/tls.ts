import { X509Certificate, createPrivateKey } from "node:crypto";
import { createSecureContext } from "node:tls";

import { ConfigurationError } from "../configuration/error.ts";

/** What HTTPS needs, in PEM. */
export interface TlsOptions {
  /** The certificate, with or without those that complete its chain. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Certificates that complete the chain, if `cert` does not hold them. No client is asked for one. @default none */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** Of the key. @default none */
  readonly passphrase?: string;
}

/** What `node:https` takes. */
interface ServerOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca?: (string | Buffer)[];
  readonly passphrase?: string;
}

/**
 * Looks at each part alone: `node:https` does not say which one is broken, and leaves a broken `ca` out.
 * @throws ConfigurationError, which names the part and holds nothing of it
 */
export function toServerOptions({ cert, key, ca = [], passphrase }: TlsOptions): ServerOptions {
  const chain = typeof ca === "string" || Buffer.isBuffer(ca) ? [ca] : [...ca];
  const secret = passphrase === undefined ? {} : { passphrase };
  attempt("cert: it is not a certificate in PEM", () => [parseAll(cert), createSecureContext({ cert })]);
  attempt(`key: ${whyNot(passphrase)}`, () => createPrivateKey({ key, format: "pem", ...secret }));
  for (const part of chain) attempt("ca: it is not a certificate in PEM", () => parseAll(part));
  attempt("key: it does not belong to tls.cert", () => createSecureContext({ cert, key, ...secret }));
  return { cert, key, ...(chain.length > 0 && { ca: chain }), ...secret };
}

/** No cause: what Node and OpenSSL say may quote the input. */
function attempt(failure: string, run: () => unknown): void {
  try {
    run();
  } catch {
    throw new ConfigurationError(`tls.${failure}`);
  }
}

function whyNot(passphrase: string | undefined): string {
  return passphrase === undefined
    ? "it is not a private key in PEM, or needs tls.passphrase"
    : "it is not a private key in PEM, or tls.passphrase does not open it";
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function parseAll(part: string | Buffer): X509Certificate[] {
  const found = String(part).match(CERTIFICATE);
  if (!found) throw new TypeError("no certificate");
  return found.map((pem) => new X509Certificate(pem));
}
