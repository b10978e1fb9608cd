import { connect } from "node:net";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";

import { until, within } from "./deadline.ts";

const WAIT_MS = 15_000;

/** A connection on which anything may be written, and what came back. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that has arrived so far. */
  readonly received: () => string;
  /** Resolves with all that has arrived, once that matches. */
  readonly receives: (pattern: RegExp) => Promise<string>;
  /** Resolves with all that has arrived, once the other side has ended or cut the connection. */
  readonly ended: () => Promise<string>;
}

/** A connection to a server; after the test it is gone. */
export async function openRaw(t: TestContext, url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  t.after(() => socket.destroy());
  const chunks: Buffer[] = [];
  const received = (): string => Buffer.concat(chunks).toString("latin1");
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A cut is what many tests wait for.
  socket.on("error", () => undefined);
  const over = new Promise<void>((resolve) => {
    socket.once("end", resolve).once("close", () => resolve());
  });
  await within(new Promise((resolve) => socket.once("connect", resolve)), WAIT_MS, "a connection");
  return {
    socket,
    received,
    receives: async (pattern) => {
      const label = (): string => `${pattern} arrives: ${received().slice(0, 1000)}`;
      await until(() => pattern.test(received()), { withinMs: WAIT_MS, label });
      return received();
    },
    ended: async () => {
      await within(over, WAIT_MS, "the connection ends");
      // A half that stays open is one that the server waits for when it is closed.
      socket.destroy();
      return received();
    },
  };
}

/** Sends a text and reads until the other side ends the connection. */
export async function exchangeRaw(t: TestContext, url: string, text: string): Promise<string> {
  const { socket, ended } = await openRaw(t, url);
  socket.write(text, "latin1");
  return ended();
}

/** The statuses of the answers in a text, in their order. */
export function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
