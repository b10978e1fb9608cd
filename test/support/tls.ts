import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { connect as tlsConnect } from "node:tls";

/** Certificates of test/fixtures/tls, and the keys of the leaf and of the one that signed itself, in PEM. */
export const PEM = {
  root: read("root.pem"),
  intermediate: read("intermediate.pem"),
  leaf: read("leaf.pem"),
  key: read("leaf.key"),
  other: read("other.pem"),
  otherKey: read("other.key"),
};

function read(name: string): string {
  return readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");
}

/** The certificate that a new connection is shown. */
export async function certificateAt(port: number): Promise<string> {
  const socket = tlsConnect({ port, host: "127.0.0.1", ca: [PEM.root, PEM.intermediate, PEM.other] });
  await once(socket, "secureConnect");
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return new X509Certificate(raw).toString();
}

/** As fetch, which takes no certificates; trusts those that the root has signed, and no others. */
export const tlsFetch: typeof fetch = async (input, init) => {
  const { url, method, headers, body } = new Request(input, init);
  // Not the request's own signal, which falls silent when the request is collected.
  const signal = init?.signal ?? undefined;
  const asking = httpsRequest(url, { method, headers: Object.fromEntries(headers), ca: PEM.root, signal });
  const answer = once(asking, "response") as Promise<[IncomingMessage]>;
  // After the head, what breaks off breaks the body too.
  asking.on("error", () => undefined);
  asking.end(body ? Buffer.from(await new Response(body).arrayBuffer()) : undefined);
  const [incoming] = await answer;
  const { statusCode: status = 0, headers: given } = incoming;
  const stream = [204, 304].includes(status)
    ? null
    : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
  return new Response(stream, {
    status,
    headers: Object.entries(given).map(([name, value]) => [name, String(value)]),
  });
};
