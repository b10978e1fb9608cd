import { MayflyError } from "../../errors.ts";
import { isResponse } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { shortened } from "../../logger.ts";

/**
 * What a remote says to a request, up to the answer. What comes after that is for nobody: the request is let go of first.
 * @throws what the messages throw, REMOTE_LOST if there is no answer among them, the reason of the signal
 */
export async function* untilAnswer(
  messages: AsyncIterable<Message>,
  { value }: Message<RequestValue>,
  signal: AbortSignal,
): AsyncGenerator<Message, void, void> {
  let answer: Message | undefined;
  for await (const message of messages) {
    if (isResponse(message)) {
      answer = message;
      break;
    }
    yield message;
  }
  signal.throwIfAborted();
  if (answer) yield answer;
  else throw tooEarly(shortened(value.method));
}

function tooEarly(method: string): MayflyError {
  return new MayflyError("REMOTE_LOST", { values: { detail: "its answer ended too early", method } });
}
