import { rankOf } from "../../eras/notification-up.ts";
import { INITIALIZED_TEXT } from "../../exchange/initialize.ts";
import { refusalOf } from "../../exchange/conversation.ts";
import { mayBeAsked } from "../../input/questions.ts";
import { isNotification, isObject, isRequest, isResponse, messageOf } from "../../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { shortened } from "../../logger.ts";
import type { Logger } from "../../logger.ts";
import type { LegacyRemote } from "../remote.ts";
import type { Seat } from "./seat.ts";
import { createWatches } from "./watches.ts";
import type { Watches } from "./watches.ts";

/** One session with a remote, and the seats that requests have in it. */
export interface Table {
  /** The text of the answer to the handshake. */
  readonly answer: string;
  readonly seats: Set<Seat>;
  /** By the id that the remote knows: requests without an answer. The newest are last. */
  readonly owners: Map<unknown, Owner>;
  readonly watches: Watches;
  /** Another way to the remote: what goes it keeps its order, and does not wait for what goes another one. */
  lane(): Lane;
  /** The level of log messages that the remote must be told, since somebody waits for more or for less. */
  newLevel(): string | undefined;
  /** A message of the remote, for the seat that it is about. */
  hear(message: Message, about: Message<RequestValue> | undefined): Promise<void>;
  /** Resolves when all is sent. */
  flush(): Promise<void>;
}

/** Sends a message. Resolves when the next one may follow; never rejects. */
export type Lane = (text: string) => Promise<void>;

interface Owner {
  readonly seat: Seat;
  readonly request: Message<RequestValue>;
}

export function createTable(remote: LegacyRemote, logger: Logger): Table {
  const seats = new Set<Seat>();
  const sending = new Set<Promise<void>>();
  let level: string | undefined;
  const lane = (): Lane => {
    let last = ready;
    return (text) => {
      last = last.then(() => remote.send(messageOf(text)));
      sending.add(last);
      const sent = last;
      return sent.finally(() => sending.delete(sent));
    };
  };
  let ready = Promise.resolve();
  // Before all else: the client has no handshake that it could end.
  ready = lane()(INITIALIZED_TEXT);
  const table: Table = {
    answer: remote.answer.text,
    seats,
    owners: new Map(),
    watches: createWatches(lane()),
    lane,
    newLevel() {
      const wanted = loudest([...seats])?.level;
      if (wanted === level) return undefined;
      level = wanted ?? level;
      return wanted;
    },
    async hear(message, about) {
      if (isResponse(message)) return answer(message, table);
      if (isRequest(message)) return ask(message, about, table);
      if (isNotification(message) && !tell(message, about, table)) {
        logger.debug({ method: shortened(message.value.method) }, "A notification for nobody: dropped");
      }
    },
    flush: async () => void (await Promise.all(sending)),
  };
  return table;
}

/** The seat that wants to hear most. */
function loudest(seats: readonly Seat[]): Seat | undefined {
  const wanting = seats.filter(({ level }) => level !== undefined);
  return wanting.toSorted((one, other) => rankOf(one.level) - rankOf(other.level))[0];
}

function answer(message: Message<ResponseValue>, { owners, watches }: Table): void {
  const owner = owners.get(message.value.id);
  owners.delete(message.value.id);
  if (owner) owner.seat.put(message.text);
  else watches.answer(message);
}

/** A question is for the client whose request it is about, and so for its seat. */
async function ask(
  message: Message<RequestValue>,
  about: Message<RequestValue> | undefined,
  table: Table,
): Promise<void> {
  const seat = message.value.method === "ping" ? undefined : seatToAsk(about, table);
  if (seat && !seat.isFull) seat.put(message.text);
  else await table.lane()(refusalOf(message));
}

function seatToAsk(about: Message<RequestValue> | undefined, { owners }: Table): Seat | undefined {
  if (about) return owners.get(about.value.id)?.seat;
  const askable = [...owners.values()].filter(({ request }) => mayBeAsked(request.value.method));
  return askable.at(-1)?.seat;
}

/** @returns whether somebody hears it */
function tell(
  message: Message<NotificationValue>,
  about: Message<RequestValue> | undefined,
  table: Table,
): boolean {
  const heard = listenersOf(message, about, table).filter((seat) => !seat.isFull);
  for (const seat of heard) seat.put(message.text);
  return heard.length > 0;
}

function listenersOf(
  { value: { method, params } }: Message<NotificationValue>,
  about: Message<RequestValue> | undefined,
  { owners, seats, watches }: Table,
): Seat[] {
  const owner = about && owners.get(about.value.id)?.seat;
  const listening = [...seats].filter(({ isListening }) => isListening);
  if (method === "notifications/resources/updated") {
    return listening.filter((seat) => watches.isWatching(seat, params?.["uri"]));
  }
  if (method.endsWith("/list_changed")) return listening;
  if (method === "notifications/progress") return seatsOf(ownerOfToken(params?.["progressToken"], owners));
  // Of log messages nobody says what they are about: whoever wants to hear most, hears them.
  if (method === "notifications/message") return seatsOf(owner ?? loudest([...seats]));
  return [];
}

function seatsOf(seat: Seat | undefined): Seat[] {
  return seat ? [seat] : [];
}

function ownerOfToken(token: unknown, owners: Table["owners"]): Seat | undefined {
  if (token === undefined) return undefined;
  return [...owners.values()].find(({ request: { value } }) => {
    const meta = value.params?.["_meta"];
    return isObject(meta) && meta["progressToken"] === token;
  })?.seat;
}
