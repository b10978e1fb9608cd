import { randomUUID } from "node:crypto";

import type { Message, RequestValue } from "../jsonrpc.ts";
import { CLIENT_GONE } from "../exchange/endings.ts";
import { anonymousHandshake } from "../exchange/initialize.ts";
import type { MayflyError } from "../errors.ts";
import { LEGACY_VERSIONS } from "../revisions.ts";
import type { Server } from "../servers.ts";
import type { SessionClient } from "./client.ts";
import { receive } from "./from-client.ts";
import { hear } from "./from-server.ts";
import { firstInitialize } from "./handshake.ts";
import { createLinks } from "./links.ts";
import type { Link, LinkHost } from "./link.ts";
import { tellChanges } from "./changes.ts";
import { leave, loseLink, restore } from "./coming-and-going.ts";
import type { Member, SessionState } from "./state.ts";
import { cancelRequest } from "./pending-requests.ts";

/** The place of a client in a session. */
export interface Membership {
  /**
   * Takes a message of the client. What it leads to comes through {@link SessionClient}.
   * @returns false for a response that nobody waits for
   */
  receive(message: Message): boolean;
  /** The client waits for none of the answers to these requests any more. */
  cancel(requests: Iterable<Message<RequestValue>>): void;
  /** Whether the client waits for an answer. */
  isBusy(): boolean;
  /** Cancels what the client still waits for, and takes no more messages. Repeated calls count once. */
  leave(): void;
}

/** One server process for many requests, of one client or of several. */
export interface Session {
  /** @param principal names the caller, who may be several clients */
  join(client: SessionClient, principal: string): Membership;
  readonly size: number;
  /** As {@link SessionClient.mayGiveWayFrom}. What clients share gives way when none of them is there. */
  mayGiveWayFrom(): number | undefined;
  /** From now on the server is run as it is configured there; what is in flight ends as it began. */
  reconfigure(server: Server): void;
  /** From now on other tools may be seen and called; the process stays. */
  restrict(filter: Server["filter"]): void;
  /** Takes no more requests, and ends when what is in flight is answered. */
  finish(refusal: MayflyError): void;
  /** Ends the process, answers what is in flight with the error, and lets the clients go. */
  end(error: MayflyError): void;
}

export interface SessionOptions {
  readonly server: Server;
  /** Whether there are several clients, who must be kept apart. */
  readonly shared: boolean;
  readonly host: LinkHost;
  readonly bridge: SessionState["bridge"];
  readonly answerBridge: SessionState["answerBridge"];
}

export function createSession({ server, shared, host, bridge, answerBridge }: SessionOptions): Session {
  const state: SessionState = {
    server,
    shared,
    links: createLinks(server.name, host, {
      server: () => state.server,
      initialize: (id) => firstInitialize(id, state),
      opened: (link) => {
        state.isHandshakeProven = state.handshake !== undefined;
        restore(link, state);
      },
      message: (message, link) => hear(message, link, state),
      ended: (link, failure) => loseLink(link, failure, state),
      isBusy: (link) => isBusy(link, state),
    }),
    members: new Set(),
    pending: new Map(),
    abandoned: new Map(),
    questions: new Map(),
    handshake: undefined,
    isHandshakeProven: false,
    refusal: undefined,
    isOver: false,
    onIdle: () => state.refusal && end(state.refusal, state),
    lastId: 0,
    characters: 0,
    logger: host.logger,
    bridge,
    answerBridge,
  };
  return {
    join(client, principal) {
      const member = memberFor(client, principal);
      state.members.add(member);
      return {
        receive: (message) => state.members.has(member) && receive(message, member, state),
        cancel: (requests) => {
          const unwanted = new Set(requests);
          for (const pending of [...member.pending.values()]) {
            if (unwanted.has(pending.request)) cancelRequest(pending, state, CLIENT_GONE);
          }
        },
        isBusy: () => member.pending.size > 0,
        leave: () => leave(member, state),
      };
    },
    mayGiveWayFrom() {
      const [first] = state.members;
      if (!first) return 0;
      return shared ? undefined : first.client.mayGiveWayFrom?.();
    },
    get size() {
      return state.members.size;
    },
    reconfigure(changed) {
      const before = state.links.running();
      state.server = changed;
      state.links.retire();
      if (before) tellChanges(before, state);
    },
    restrict(filter) {
      state.server = { ...state.server, filter };
      const link = state.links.running();
      if (link) tellChanges(link, state, ["tools"]);
    },
    finish(refusal) {
      state.refusal = refusal;
      if (state.pending.size === 0) end(refusal, state);
    },
    end: (error) => end(error, state),
  };
}

function end(error: MayflyError, state: SessionState): void {
  if (state.isOver) return;
  state.isOver = true;
  state.refusal = error;
  loseLink(undefined, error, state);
  state.links.end();
  for (const { client } of [...state.members]) client.end();
}

function memberFor(client: SessionClient, principal: string): Member {
  return {
    id: randomUUID(),
    principal,
    client,
    handshake: JSON.stringify(anonymousHandshake(LEGACY_VERSIONS[0])),
    pending: new Map(),
    subscriptions: new Map(),
    elicitations: new Set(),
    logLevel: undefined,
  };
}

/** Without a copy of them all: it is asked at the end of each. */
function isBusy(link: Link, { pending }: SessionState): boolean {
  for (const one of pending.values()) if (one.link === link) return true;
  return false;
}
