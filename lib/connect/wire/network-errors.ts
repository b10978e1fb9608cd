/** What went wrong with a connection, in words for somebody who has typed a URL. Never says a header, a key or a path. */

/** No request was written: the connection to the server, or to the proxy before it, was not made. */
export class ConnectFailed extends Error {
  override readonly name = "ConnectFailed";
  readonly detail: string;

  constructor(cause: unknown, detail = describe(cause)) {
    super(detail, { cause });
    this.detail = detail;
  }
}

const DETAILS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "its name cannot be looked up now",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no network",
  ENETDOWN: "no network",
  EADDRNOTAVAIL: "no address to connect from",
  ETIMEDOUT: "no answer from the host",
  UND_ERR_CONNECT_TIMEOUT: "no connection within 10 seconds",
  UND_ERR_HEADERS_TIMEOUT: "no answer within 10 seconds",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  UND_ERR_SOCKET: "connection closed",
  UND_ERR_DESTROYED: "connection closed",
  UND_ERR_CLOSED: "connection closed",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "answer cut short",
  UND_ERR_HEADERS_OVERFLOW: "its headers are too long",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it wants a certificate of its client",
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    "no way of TLS that both know, or it wants a certificate of its client",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "no version of TLS that both know",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "no version of TLS that both know",
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: "it does not know its name",
  EPROTO: "no TLS there: is it http:// in place of https://?",
  ERR_SSL_WRONG_VERSION_NUMBER: "no TLS there: is it http:// in place of https://?",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "no TLS there: is it http:// in place of https://?",
};

const UNKNOWN_AUTHORITY = "its authority is not known here, and --ssl-ca does not name it";

/** Why a certificate is not accepted. Source: Node, tls, X509 certificate error codes. */
const CERTIFICATES: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed, and --ssl-ca does not name it",
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `${UNKNOWN_AUTHORITY}, or the server does not send the whole chain`,
  CERT_UNTRUSTED: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  CERT_REVOKED: "it was revoked",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for other names",
};

/** @returns a few words without a full stop */
export function describe(error: unknown): string {
  if (error instanceof ConnectFailed) return error.detail;
  const code = codeOf(error);
  const flaw = CERTIFICATES[code];
  if (flaw !== undefined) return `the certificate is not trusted: ${flaw}`;
  if (code.startsWith("HPE_")) return "the answer is not HTTP";
  return DETAILS[code] ?? (code === "" ? "connection broken" : code);
}

/** The code of an error, or of the first that has one inside of it. */
function codeOf(error: unknown, levels = 4): string {
  if (!(error instanceof Error) || levels === 0) return "";
  const { code } = error as NodeJS.ErrnoException;
  const inner = error instanceof AggregateError ? [...(error.errors as unknown[])] : [];
  const causes = [...inner, error.cause].map((cause) => codeOf(cause, levels - 1));
  const deepest = causes.find((found) => found !== "");
  return deepest ?? (typeof code === "string" ? code : "");
}
