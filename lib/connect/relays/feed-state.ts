import type { Introduction } from "../../eras/request-down.ts";
import { LISTS, can } from "../../exchange/listening.ts";
import type { Filter } from "../../exchange/listening.ts";
import type { Logger } from "../../logger.ts";
import type { StdioClient } from "../relay.ts";
import type { ModernRemote } from "../remote.ts";
import type { ListenStream } from "./listen-stream.ts";
import { createToldOnce } from "./told-once.ts";
import type { Source, ToldOnce } from "./told-once.ts";

export interface FeedOptions {
  readonly remote: ModernRemote;
  readonly client: StdioClient;
  readonly introduction: () => Introduction;
  readonly logger: Logger;
}

export interface Feed extends FeedOptions {
  /** The lists that the remote has declared to tell of. */
  readonly lists: readonly List[];
  /** By URI. */
  readonly resources: Map<string, Watched>;
  readonly toldOnce: ToldOnce;
  readonly closed: AbortController;
  /** Subscriptions that are open: the one that counts, and those whose place it has taken. */
  readonly open: Set<Subscription>;
  live: Subscription | undefined;
  /** Whether the client hears of lists. */
  isStarted: boolean;
  /** Counts the changes of what is wanted. */
  version: number;
  /** The version that is dealt with. */
  settled: number;
  /** In a row. */
  failures: number;
  /** Milliseconds before the next attempt. */
  pauseMs: number;
  /** Whether there was a time in which nobody would have told of a change. */
  hasMissed: boolean;
  /** Ends the subscription before, when nothing can be on its way any more. */
  retiring: NodeJS.Timeout | undefined;
  /** Ends the wait for something to do. */
  wake: () => void;
}

export type List = keyof typeof LISTS;

/** A resource that the client has subscribed to. */
interface Watched {
  /** Whether the remote has agreed once. */
  isAgreed: boolean;
  /** Who waits for that, and is told the error if it does not. */
  readonly waiters: Set<(error: string | undefined) => void>;
}

export interface Subscription {
  readonly stream: ListenStream;
  readonly source: Source;
  readonly filter: Filter;
  readonly openedAt: number;
}

export function createFeed(options: FeedOptions): Feed {
  return {
    ...options,
    lists: declaredLists(options.remote),
    resources: new Map(),
    toldOnce: createToldOnce(),
    closed: new AbortController(),
    open: new Set(),
    live: undefined,
    isStarted: false,
    version: 0,
    settled: 0,
    failures: 0,
    pauseMs: 0,
    hasMissed: false,
    retiring: undefined,
    wake: () => undefined,
  };
}

function declaredLists({ discovered }: ModernRemote): List[] {
  const { capabilities } = Object(JSON.parse(discovered)) as { readonly capabilities?: unknown };
  const names = Object.keys(LISTS) as List[];
  return names.filter((list) => can(capabilities, LISTS[list], "listChanged"));
}
