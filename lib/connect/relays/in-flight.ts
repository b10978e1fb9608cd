import { LISTEN } from "../../eras/names.ts";
import { MayflyError, errorText, toMayflyError } from "../../errors.ts";
import type { Replies } from "../../exchange/order.ts";
import { idOf } from "../../jsonrpc.ts";
import type { Message, RequestValue } from "../../jsonrpc.ts";
import { ClientGone } from "../../lifetime.ts";
import type { Lifetime } from "../../lifetime.ts";
import type { Logger } from "../../logger.ts";
import { cancelledBy, keyOf } from "../messages.ts";
import type { StdioClient } from "../relay.ts";
import { begun, logEnd } from "./request-log.ts";
import type { Begun } from "./request-log.ts";
import { untilAborted } from "./until-aborted.ts";

/** Requests of a stdio client that have no answer, each with what works on it. */
export interface InFlight {
  /**
   * Gives the client what comes of a request. No request holds up another.
   * @param run may throw what the client is told in place of an answer
   * @returns once the request is begun, or refused: ID_IN_USE, SESSION_FULL
   */
  begin(request: Message<RequestValue>, run: (lifetime: Lifetime) => Replies): Promise<void>;
  /**
   * The client does not want an answer any more, and gets none.
   * @returns whether the message says that of a request, which may have been answered
   */
  cancelledBy(message: Message): boolean;
  /**
   * Ends all of them: subscriptions gracefully, and others without an answer. Resolves when nothing is left of them.
   */
  close(): Promise<void>;
}

/** Requests of one client: more than any client sends before it waits. */
const MAX_IN_FLIGHT = 1000;

interface Running extends Begun {
  readonly request: Message<RequestValue>;
  readonly lifetime: Lifetime;
}

export function createInFlight(client: StdioClient, logger: Logger): InFlight {
  const running = new Map<string, Running>();
  const ends = new Set<Promise<void>>();
  const forget = (one: Running, outcome: string): void => {
    const key = keyOf(one.request);
    // The client may have cancelled it, and used its id again.
    if (running.get(key) !== one) return;
    running.delete(key);
    logEnd(one, outcome, logger);
  };
  const cancel = (one: Running): void => {
    forget(one, "cancelled");
    one.lifetime.end(new ClientGone());
  };
  return {
    async begin(request, run) {
      const refusal = refusalOf(request, running);
      if (refusal) return client.write(errorText(refusal, idOf(request)));
      const one = { ...begun(request), request, lifetime: untimed() };
      running.set(keyOf(request), one);
      const end = relay(one, run, forget, { client, logger }).finally(() => ends.delete(end));
      ends.add(end);
    },
    cancelledBy(message) {
      const key = cancelledBy(message);
      const one = running.get(key ?? "");
      if (one) cancel(one);
      return key !== undefined;
    },
    async close() {
      for (const one of [...running.values()]) {
        if (one.method === LISTEN) one.lifetime.end(new MayflyError("SHUTTING_DOWN"));
        else cancel(one);
      }
      await Promise.all(ends);
    },
  };
}

function refusalOf(
  request: Message<RequestValue>,
  running: ReadonlyMap<string, Running>,
): MayflyError | undefined {
  if (running.has(keyOf(request))) return new MayflyError("ID_IN_USE");
  const { method } = request.value;
  return running.size >= MAX_IN_FLIGHT ? new MayflyError("SESSION_FULL", { values: { method } }) : undefined;
}

/** A tool may take hours, and its user may think as long about a question: only the client ends a request. */
function untimed(): Lifetime {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    end: (reason) => controller.abort(reason),
    endAfter: () => nothing,
    dispose: nothing,
  };
}

function nothing(): void {}

/** Never rejects. */
async function relay(
  one: Running,
  run: (lifetime: Lifetime) => Replies,
  forget: (one: Running, outcome: string) => void,
  { client, logger }: { readonly client: StdioClient; readonly logger: Logger },
): Promise<void> {
  const { request, lifetime } = one;
  const { signal } = lifetime;
  try {
    for await (const reply of run(lifetime)) {
      if (isGone(signal)) return;
      // The client may use the id again as soon as it has the answer.
      if (reply.kind === "response") forget(one, reply.outcome);
      await untilAborted(client.write(reply.text), signal);
    }
  } catch (error) {
    if (isGone(signal)) return;
    const failure = toMayflyError(error);
    if (failure.code === "INTERNAL") logger.error({ err: error }, "A request could not be handed on");
    forget(one, "error");
    await untilAborted(client.write(errorText(failure, idOf(request))), signal);
  } finally {
    forget(one, "cancelled");
  }
}

function isGone({ reason }: AbortSignal): boolean {
  return reason instanceof ClientGone;
}
