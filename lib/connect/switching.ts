import { hasVersion } from "../eras/envelope.ts";
import { ownId } from "../exchange/conversation.ts";
import { INITIALIZED_TEXT, anonymousHandshake, initializeText } from "../exchange/initialize.ts";
import { isRequest, messageOf } from "../jsonrpc.ts";
import type { Message, NotificationValue, RequestValue } from "../jsonrpc.ts";
import type { Logger } from "../logger.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Link, Opening } from "./link.ts";
import { isInitialize } from "./messages.ts";
import { reach } from "./reaching.ts";
import type { Reaching } from "./reaching.ts";

/** Has the link that a client's message belongs to, which shows with its first message, and may change. */
export interface Switch {
  /** Whether a link is open. */
  readonly isOpen: boolean;
  /**
   * The link for a message of the client.
   * @param ms that the remote has to come back, if it cannot be reached
   * @returns undefined for a message that belongs to nothing
   * @throws what stands in the way
   */
  linkFor(message: Message, ms: number): Promise<Link | undefined>;
  /** Never rejects. */
  close(): Promise<void>;
}

export interface SwitchOptions {
  readonly open: (opening: Opening, signal: AbortSignal) => Promise<Link>;
  /** Origin and path of the remote, for the log. */
  readonly where: string;
  readonly logger: Logger;
}

/** What the client has opened its side with last, and how far that is. */
interface Side {
  readonly opening: Opening;
  readonly reaching: Reaching;
  isUsed: boolean;
}

export function createSwitch(options: SwitchOptions): Switch {
  const closings = new Set<Promise<void>>();
  let side: Side | undefined;

  const retire = ({ reaching }: Side): void => {
    const closing = reaching.close().finally(() => closings.delete(closing));
    closings.add(closing);
  };
  const begin = (opening: Opening): Side => {
    if (side) retire(side);
    side = { opening, reaching: reachFor(opening, options), isUsed: false };
    return side;
  };
  const sideFor = (message: Message): Side | undefined => {
    const isOver = side?.reaching.isOver ?? true;
    const opening = openingOf(message, side?.opening, isOver);
    return opening ? begin(opening) : side;
  };

  return {
    get isOpen() {
      return side?.reaching.link !== undefined;
    },
    async linkFor(message, ms) {
      const current = sideFor(message);
      if (!current) return undefined;
      const link = current.reaching.link ?? (await current.reaching.wait(ms));
      if (!current.isUsed) await beginUse(current, link, message);
      return link;
    },
    async close() {
      if (side) retire(side);
      await Promise.all(closings);
    },
  };
}

function reachFor(opening: Opening, { open, where, logger }: SwitchOptions): Reaching {
  return reach({ open: (signal) => open(opening, signal), where, logger });
}

/**
 * What the message opens anew, if it does: a handshake always, an envelope where none was before. A request that comes
 * before both is of somebody who tries things out by hand: the handshake is made for them.
 */
function openingOf(message: Message, before: Opening | undefined, isOver: boolean): Opening | undefined {
  if (!isRequest(message)) return undefined;
  if (hasVersion(message.value)) {
    return before?.era === "modern" && !isOver ? undefined : { era: "modern", request: message };
  }
  if (isInitialize(message)) return { era: "legacy", request: message };
  if (!isOver) return undefined;
  // What has failed before may go better now.
  return before ?? { era: "legacy", request: ownInitialize() };
}

function ownInitialize(): Message<RequestValue> {
  return messageOf(initializeText(ownId(), anonymousHandshake(LEGACY_VERSIONS[0])));
}

/** A client that has no answer to its handshake, or made none, does not say that it is over. */
async function beginUse(side: Side, { relay }: Link, message: Message): Promise<void> {
  side.isUsed = true;
  if (side.opening.era === "legacy" && !isInitialize(message)) await relay.receive(INITIALIZED);
}

const INITIALIZED = messageOf<NotificationValue>(INITIALIZED_TEXT);
