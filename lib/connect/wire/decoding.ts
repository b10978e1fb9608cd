import { pipeline } from "node:stream";
import type { Duplex, Readable } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

import { MayflyError } from "../../errors.ts";
import { printable } from "../../logger.ts";

/**
 * What is flushed must be given on: an event is not to wait for the next one. And a body may be empty, whatever its
 * header says; one that breaks off is told by the connection.
 */
const GZIP = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH };

const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: () => createGunzip(GZIP),
  "x-gzip": () => createGunzip(GZIP),
  deflate: () => createInflate(GZIP),
  br: () => createBrotliDecompress(BROTLI),
};

/**
 * The body as its server meant it: gateways compress also what nobody wanted so.
 * @param encoding the Content-Encoding
 * @throws REMOTE_NOT_MCP for one that is not known here
 */
export function decoded(body: Readable, encoding: string | undefined, method: string): Readable {
  const name = encoding?.trim().toLowerCase() ?? "identity";
  if (name === "identity" || name === "") return body;
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name]?.() : undefined;
  if (decoder) return pipeline(body, decoder, ended);
  body.on("error", ended).destroy();
  const detail = `a body in the encoding ${printable(name)}`;
  throw new MayflyError("REMOTE_NOT_MCP", { values: { method, detail } });
}

/** The error stays with the stream that its reader has. */
function ended(): void {}
