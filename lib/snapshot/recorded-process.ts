import type { Child } from "../child.ts";
import { idOf, messageOf, paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { onAbort } from "../lifetime.ts";
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
  const outlet = createOutlet();
  let spoken = modern;
  const child: Child = {
    pid: undefined,
    exited: outlet.closed.then(() => ({ code: 0, signal: null })),
    lines: (signal) => outlet.lines(signal),
    send: async (line) => {
      const request = messageOf<RequestValue>(line);
      const { method, params } = request.value;
      if (method === "initialize") spoken = legacy[String(params?.["protocolVersion"])];
      const answer = spoken && recordedAnswer(spoken, request);
      const shown = answer !== undefined && isPrivate ? madePrivate(answer, spoken === modern) : answer;
      if (shown !== undefined) outlet.write(setMember(shown, "id", idOf(request)));
    },
    stderrTail: () => "",
    end: async () => outlet.close(),
    kill: () => outlet.close(),
  };
  return { child, end: () => outlet.close(), gone: outlet.closed };
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

/** Lines for one reader. */
interface Outlet {
  readonly write: (line: string) => void;
  readonly close: () => void;
  readonly closed: Promise<void>;
  readonly lines: (signal: AbortSignal) => AsyncGenerator<string, void, void>;
}

function createOutlet(): Outlet {
  const { promise: closed, resolve } = deferred();
  const outlet = { waiting: [] as string[], isOpen: true, news: deferred() };
  return {
    write: (line) => {
      outlet.waiting.push(line);
      outlet.news.resolve();
    },
    close: () => {
      outlet.isOpen = false;
      outlet.news.resolve();
      resolve();
    },
    closed,
    lines: async function* lines(signal) {
      const off = onAbort(signal, () => outlet.news.resolve());
      try {
        while (outlet.isOpen && !signal.aborted) {
          yield* outlet.waiting.splice(0);
          await outlet.news.promise;
          outlet.news = deferred();
        }
      } finally {
        off();
      }
    },
  };
}
