import type { Child } from "../../child.ts";
import { errorText, toMayflyError } from "../../errors.ts";
import { idOf, isRequest, messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { onAbort } from "../../lifetime.ts";
import type { Logger } from "../../logger.ts";
import { createMailbox } from "../../mailbox.ts";
import type { OwnProcess } from "../../processes.ts";
import { deferred } from "../../promises.ts";
import type { ModernRemote } from "../remote.ts";
import { untilAnswer } from "./until-answer.ts";

/**
 * What stands in the place of a process where the server is a remote one without a handshake: a line to it is a request
 * to the remote, and its lines are what comes of that. Whoever reads asks one thing after another, and so does this.
 * @param edit changes a request on its way
 */
export function remoteProcess(
  remote: ModernRemote,
  edit: (request: string) => string,
  logger: Logger,
): OwnProcess {
  const over = new AbortController();
  const { promise: gone, resolve } = deferred();
  const inbox = createMailbox<Message<RequestValue>>();
  let asked: AsyncGenerator<Message, void, void> | undefined;
  const end = (): void => {
    over.abort();
    // Nobody pulls any more, and what it has opened must be closed.
    asked?.return().catch((err: unknown) => logger.debug({ err }, "A request of a remote did not end well"));
    resolve();
  };
  const child: Child = {
    pid: undefined,
    exited: gone.then(() => ({ code: 0, signal: null })),
    async *lines(signal) {
      const off = onAbort(signal, end);
      try {
        for await (const next of inbox.items(over.signal)) {
          asked = remote.request(next, over.signal);
          yield* answersTo(next, asked, over.signal, logger);
        }
      } finally {
        off();
      }
    },
    async send(line) {
      const message = messageOf(line);
      // A cancelled one shows by the end of its stream.
      if (isRequest(message)) inbox.put({ ...message, text: edit(line) });
    },
    stderrTail: () => "",
    end: async () => end(),
    kill: end,
  };
  return { child, end, gone };
}

/** What a remote says to a request, up to the answer; whatever goes wrong is the answer. */
async function* answersTo(
  request: Message<RequestValue>,
  messages: AsyncGenerator<Message, void, void>,
  signal: AbortSignal,
  logger: Logger,
): AsyncGenerator<string, void, void> {
  try {
    for await (const { text } of untilAnswer(messages, request, signal)) yield text;
  } catch (error) {
    if (signal.aborted) return;
    const failure = toMayflyError(error);
    if (failure.code === "INTERNAL") logger.error({ err: error }, "A remote could not be asked");
    yield errorText(failure, idOf(request));
  }
}
