import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";

/** Certificates of test/fixtures/tls, and the key of the leaf, in PEM. */
export const PEM = {
  root: read("root.pem"),
  intermediate: read("intermediate.pem"),
  leaf: read("leaf.pem"),
  key: read("leaf.key"),
};

function read(name: string): string {
  return readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");
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
