import { onAbort } from "../lifetime.ts";
import { createFront } from "./front.ts";
import type { Front } from "./front.ts";
import { createRemoteHttp } from "./wire/http.ts";
import type { RemoteHttp } from "./wire/http.ts";
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
      await relay(settings, { output, http, signal: ending.signal });
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
  readonly signal: AbortSignal;
}

/** Of what a client writes. */
const MAX_LINE_BYTES = 64 * 1024 ** 2;

/** Until the input ends or the signal fires. */
async function relay(settings: Settings, { output, http, signal }: Ends): Promise<void> {
  const { input, logger, watch } = settings;
  const write = paced((text) => {
    watch("out", text);
    return output.write(text);
  });
  const front = frontOf(settings, { write }, http);
  // A reader that waits for room must not keep anything from ending.
  const off = onAbort(signal, () => void front.close());
  try {
    const options = { maxLineBytes: MAX_LINE_BYTES, signal, logger, refuse: write };
    for await (const message of readMessages(input, options)) {
      watch("in", message.text);
      const room = front.receive(message);
      if (room) await room;
    }
  } finally {
    off();
    await front.close();
  }
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
