import { MayflyError } from "../errors.ts";
import type { HeldProcess } from "./held-processes.ts";
import type { Host } from "../host.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import type { Client, Input } from "../exchange/order.ts";
import { mayBeAsked } from "./questions.ts";
import { bindingOf, checkInputResponses, createRerun } from "./rerun.ts";
import type { Server } from "../servers.ts";
import type { Exchange } from "../exchange/turns.ts";

/** What decides about questions to a client. */
export interface Asking {
  readonly client: Client;
  readonly requests: readonly Message<RequestValue>[];
  readonly server: Server;
  /** Names the caller. */
  readonly principal: string;
  /** Whether the client reads event streams. */
  readonly stream: boolean;
}

export const REFUSE: Input = { kind: "refuse", asks: false };
const PASS: Input = { kind: "pass", asks: false };

/**
 * What becomes of questions while these requests run, and the process that waits for the answers that they bring.
 * @throws STATE_NOT_VALID, CONTINUATION_EXPIRED, INPUT_RESPONSE_NOT_VALID: all before anything is started
 */
export function inputFor(
  asking: Asking,
  host: Host,
): { readonly input: Input; readonly waiting?: HeldProcess<Exchange> } {
  const { client, requests, server, stream } = asking;
  const [request] = requests;
  const isRelay = server.inputMode === "hold" && stream;
  if (client.era === "legacy") {
    const { relays, places } = host;
    const { principal } = asking;
    return { input: isRelay ? { kind: "relay", asks: true, relays, principal, places } : REFUSE };
  }
  if (!request || !mayBeAsked(request.value.method)) {
    return { input: server.inputMode === "refuse" ? REFUSE : PASS };
  }
  if (server.inputMode === "refuse") return { input: refused(request, server) };
  const binding = bindingOf(asking.principal, server.digest, request);
  return server.inputMode === "hold"
    ? held(request, binding, asking, host)
    : { input: rerun(request, binding, asking, host) };
}

function refused(request: Message<RequestValue>, server: Server): Input {
  if (hasState(request) && server.eras.known().modern === false) throw new MayflyError("STATE_NOT_VALID");
  return REFUSE;
}

/** A modern server reads its own states. */
function rerun(request: Message<RequestValue>, binding: string, { server }: Asking, { seal }: Host): Input {
  const { modern } = server.eras.known();
  if (modern === true) return PASS;
  const again = createRerun(request, binding, seal);
  if (again.foreign && modern === false) throw new MayflyError("STATE_NOT_VALID");
  return { kind: "rerun", asks: true, rerun: again };
}

function held(
  request: Message<RequestValue>,
  binding: string,
  { principal }: Asking,
  { held: processes }: Host,
): { readonly input: Input; readonly waiting?: HeldProcess<Exchange> } {
  const input: Input = { kind: "hold", asks: true, held: processes, principal, binding };
  if (!hasState(request)) return { input };
  // First: a process that waits, once taken, must be gone on with.
  checkInputResponses(request);
  return { input, waiting: processes.take(request.value.params?.["requestState"], binding) };
}

function hasState({ value }: Message<RequestValue>): boolean {
  return value.params?.["requestState"] !== undefined;
}
