import * as z from "zod/mini";

import { HANDLER_MEMBERS, MISPLACED } from "../configuration/handler-shape.ts";
import { count, positiveMs, text } from "../configuration/members.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { shape } from "../configuration/shape.ts";
import type { Members } from "../configuration/shape.ts";
import { MAX_PORT } from "../hosts.ts";
import type { ServeOptions } from "./node.ts";
import type { TlsOptions } from "./tls.ts";

function isPem(value: unknown): boolean {
  return typeof value === "string" || Buffer.isBuffer(value);
}

const pem = z.custom<string | Buffer>(isPem, "expected text or a Buffer");

const TLS = shape({
  cert: pem,
  key: pem,
  ca: z.optional(
    z.custom<NonNullable<TlsOptions["ca"]>>(
      (value) => isPem(value) || (Array.isArray(value) && value.every(isPem)),
      "expected text or a Buffer, or a list of them",
    ),
  ),
  passphrase: text,
} satisfies Members<TlsOptions>);

const portRange = `expected a whole number from 0 to ${MAX_PORT}`;

const OWN = {
  port: z.optional(z.int(portRange).check(z.minimum(0, portRange), z.maximum(MAX_PORT, portRange))),
  host: z.optional(z.string().check(z.minLength(1, "expected an address"))),
  tls: z.optional(TLS),
  headersTimeoutMs: positiveMs,
  maxHeaderBytes: count,
  maxHeaders: count,
  stallTimeoutMs: positiveMs,
  maxUnsentBytes: count,
  maxConnections: count,
} satisfies Members<Omit<ServeOptions, keyof HandlerOptions>>;

/** What only `serve` takes: the handler knows of no connections. */
export const OF_SERVE: ReadonlySet<string> = new Set(Object.keys(OWN));

/** What `serve` takes. */
export const SERVE_MEMBERS = { ...HANDLER_MEMBERS, ...OWN };

export const SERVE = shape(SERVE_MEMBERS, MISPLACED);
