import { STATUS_CODES } from "node:http";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { MayflyError, errorText } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { errorResponse } from "../response.ts";
import type { CompleteLimits } from "./http-limits.ts";
import { linger } from "./lingering.ts";
import type { Pipelines } from "./pipelining.ts";

type Limits = Pick<CompleteLimits, "headersTimeoutMs" | "maxHeaderBytes" | "bodyTimeoutMs">;

/**
 * Answers what Node's parser cannot read, and what it gives up waiting for, with a JSON-RPC error; then the connection
 * is closed, since nobody knows where the next request would begin.
 */
export function answerParseErrors(
  server: Server,
  pipelines: Pick<Pipelines, "open">,
  limits: Limits,
  logger: Logger,
): void {
  server.on("clientError", (error: NodeJS.ErrnoException, stream: Duplex) => {
    const socket = stream as Socket;
    // It lingers, or the client has gone.
    if (!socket.writable) return;
    if (isUnderWay(socket, pipelines) || !isAnswerable(error, socket)) return void socket.destroy();
    refuse(socket, toRefusal(error, pipelines.open(socket).length > 0, limits), logger);
  });
  server.on("connect", (_request, stream: Duplex) => {
    const socket = stream as Socket;
    // Node has taken its own listener off.
    socket.on("error", () => void socket.destroy());
    refuse(
      socket,
      new MayflyError("METHOD_NOT_ALLOWED", { values: { methods: "POST" }, headers: ALLOW }),
      logger,
    );
  });
}

const ALLOW = { Allow: "POST" };

/** Whether another answer would be taken for the one that is due: only a request that is not all here may have it. */
function isUnderWay(socket: Socket, pipelines: Pick<Pipelines, "open">): boolean {
  const [first, second] = pipelines.open(socket);
  return (
    first !== undefined && (second !== undefined || first.incoming.complete || first.outgoing.headersSent)
  );
}

const TOO_SLOW = "ERR_HTTP_REQUEST_TIMEOUT";

/** Nobody reads an answer to a broken connection, and whoever has said nothing expects none. */
function isAnswerable({ code = "" }: NodeJS.ErrnoException, { bytesRead }: Socket): boolean {
  return code === TOO_SLOW ? bytesRead > 0 : code.startsWith("HPE_");
}

function toRefusal({ code }: NodeJS.ErrnoException, isInBody: boolean, limits: Limits): MayflyError {
  const { headersTimeoutMs, bodyTimeoutMs, maxHeaderBytes } = limits;
  if (code === "HPE_HEADER_OVERFLOW") {
    return new MayflyError("HEADERS_TOO_LARGE", { values: { limit: maxHeaderBytes } });
  }
  if (code !== TOO_SLOW) return new MayflyError("MALFORMED_REQUEST");
  return isInBody
    ? new MayflyError("BODY_TIMEOUT", { values: { limit: bodyTimeoutMs } })
    : new MayflyError("HEADERS_TIMEOUT", { values: { limit: headersTimeoutMs } });
}

function refuse(socket: Socket, error: MayflyError, logger: Logger): void {
  logger.info({ status: error.status, code: error.code }, "refused");
  socket.write(rawAnswer(error));
  linger(socket);
}

function rawAnswer(error: MayflyError): string {
  const text = errorText(error);
  const { status, headers } = errorResponse(error);
  headers.set("Content-Length", String(Buffer.byteLength(text)));
  headers.set("Connection", "close");
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${text}`;
}
