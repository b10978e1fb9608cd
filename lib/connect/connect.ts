import type { Readable } from "node:stream";

import { onAbort } from "../lifetime.ts";
import { createFront } from "./front.ts";
import type { Front } from "./front.ts";
import { createRemoteHttp } from "./wire/http.ts";
import type { RemoteHttp } from "./wire/http.ts";
import { readAhead } from "./stdio/ahead.ts";
import { readMessages } from "./stdio/input.ts";
import { createOpener } from "./opening.ts";
import type { ConnectOptions, Connection } from "./options.ts";
import type { StdioClient } from "./relay.ts";
import { createOutput } from "./stdio/output.ts";
import type { Output } from "./stdio/output.ts";
import { paced } from "./stdio/pacing.ts";
import { toSettings } from "./settings.ts";
import type { Settings } from "./settings.ts";

/** Puts a remote MCP server behind stdio. @throws ConfigurationError */
export function connect(options: ConnectOptions): Connection {
  const settings = toSettings(options);
  const ending = new AbortController();
  const closed = run(settings, ending);
  return {
    closed,
    close() {
      ending.abort();
      return closed;
    },
  };
}

/** Milliseconds for what was received from the remote to reach the client, which may have stopped reading. */
const FLUSH_LIMIT_MS = 1000;

/** Never rejects. */
async function run(settings: Settings, ending: AbortController): Promise<void> {
  const output = createOutput(settings.output, () => ending.abort());
  try {
    const http = await createRemoteHttp({ ...settings, logger: settings.logger });
    try {
      await relay(settings, { output, http, ending });
    } finally {
      await http.close();
    }
  } catch (err) {
    settings.logger.error({ err }, "An error inside Mayfly");
  } finally {
    // Nobody reads it any more: it must not keep the process.
    settings.input.destroy();
    await output.flush(FLUSH_LIMIT_MS);
  }
}

interface Ends {
  readonly output: Output;
  readonly http: RemoteHttp;
  readonly ending: AbortController;
}

/** Of what a client writes. */
const MAX_LINE_BYTES = 64 * 1024 ** 2;

/** Until the input ends, or everything is to end. */
async function relay(settings: Settings, { output, http, ending }: Ends): Promise<void> {
  const { logger, watch } = settings;
  const { signal } = ending;
  const write = paced((text) => {
    watch("out", text);
    return output.write(text);
  });
  const front = frontOf(settings, { write }, http);
  // A reader that waits for room must not keep anything from ending.
  const off = onAbort(signal, () => {
    output.hurry();
    void front.close();
  });
  const reading = readUntilEnd(settings.input, ending);
  try {
    const refuse = (text: string): Promise<void> => reading.wait(write(text));
    const options = { maxLineBytes: MAX_LINE_BYTES, signal, logger, refuse };
    for await (const message of readMessages(reading.stream, options)) {
      if (signal.aborted) break;
      watch("in", message.text);
      const room = front.receive(message) ?? output.room();
      if (room) await reading.wait(room);
    }
  } finally {
    off();
    await front.close();
  }
}

interface Reading {
  readonly stream: Readable;
  /** Resolves as the promise does; nobody waits any more when all of the input has been read: then everything ends. */
  wait(room: Promise<void>): Promise<void>;
}

function readUntilEnd(input: Readable, ending: AbortController): Reading {
  let waiting = 0;
  const ahead = readAhead(input, () => {
    if (waiting > 0) ending.abort();
  });
  return {
    stream: ahead.stream,
    async wait(room) {
      waiting += 1;
      if (ahead.hasEnded) ending.abort();
      await room;
      waiting -= 1;
    },
  };
}

function frontOf(settings: Settings, client: StdioClient, http: RemoteHttp): Front {
  const { url, transport, maxMessageBytes, pingIntervalMs, startTimeoutMs, logger } = settings;
  return createFront({
    client,
    open: createOpener({ target: { url, http, maxMessageBytes, logger }, transport, client, pingIntervalMs }),
    startTimeoutMs,
    where: url.origin + url.pathname,
    logger,
  });
}
