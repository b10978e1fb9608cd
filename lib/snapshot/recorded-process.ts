import type { Child } from "../child.ts";
import { idOf, messageOf, paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { createMailbox } from "../mailbox.ts";
import type { OwnProcess } from "../processes.ts";
import { deferred } from "../promises.ts";
import { editMember, isObjectText, memberText, setMember } from "../rawjson.ts";
import type { RecordedAnswers, Snapshot } from "./format.ts";

/**
 * What stands in the place of a process where its answers are recorded: no program, no place, no I/O. It knows the
 * handshake, `server/discover` and the lists, and nothing else.
 * @param isPrivate whether modern clients are told to keep the answers for themselves
 */
export function recordedProcess({ modern, legacy }: Snapshot, isPrivate: boolean): OwnProcess {
  const mailbox = createMailbox<string>();
  const { promise: gone, resolve } = deferred();
  const end = (): void => {
    mailbox.close();
    resolve();
  };
  let spoken = modern;
  const child: Child = {
    pid: undefined,
    exited: gone.then(() => ({ code: 0, signal: null })),
    lines: (signal) => mailbox.items(signal),
    send: async (line) => {
      const request = messageOf<RequestValue>(line);
      const { method, params } = request.value;
      if (method === "initialize") spoken = legacy[String(params?.["protocolVersion"])];
      const answer = spoken && recordedAnswer(spoken, request);
      const shown = answer !== undefined && isPrivate ? madePrivate(answer, spoken === modern) : answer;
      if (shown !== undefined) mailbox.put(setMember(shown, "id", idOf(request)));
    },
    stderrTail: () => "",
    end: async () => end(),
    kill: end,
  };
  return { child, end, gone };
}

/** The answer to a request, under another id; undefined where it is not recorded. */
export function recordedAnswer(
  { opening, lists }: RecordedAnswers,
  { text, value: { method } }: Message<RequestValue>,
): string | undefined {
  if (method === "initialize" || method === "server/discover") return opening;
  const pages = Object.hasOwn(lists, method) ? lists[method] : undefined;
  const { cursor } = JSON.parse(paramsText(text)) as { readonly cursor?: unknown };
  return pages?.find((page) => page.cursor === cursor)?.answer;
}

/** Results of the older revisions have no hint, and get one on their way to a modern client. */
function madePrivate(answer: string, isModern: boolean): string {
  return editMember(answer, "result", (result) => {
    const isHinted = isObjectText(result) && (isModern || memberText(result, "cacheScope") !== undefined);
    return isHinted ? setMember(result, "cacheScope", '"private"') : result;
  });
}
