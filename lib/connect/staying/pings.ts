/** Pings of a session that is silent. Source: 2025-11-25/basic/utilities/ping. */
export interface Pings {
  /** Something has come: it lives. */
  heard(): void;
  stop(): void;
}

export interface PingOptions {
  /** Milliseconds of silence before a ping, and between two of them; 0 sends none. */
  readonly intervalMs: number;
  /** Whether there is a session that is worth a ping. */
  readonly isWanted: () => boolean;
  /** Whether the remote works for the client. */
  readonly isBusy: () => boolean;
  readonly ping: () => void;
  /** Called when so many pings in a row were not answered that nobody can be there. */
  readonly lost: () => void;
}

/** Pings without an answer, in a row, after which an idle remote is lost. */
const MAX_UNANSWERED = 2;
/**
 * The same while it works for the client: many servers of one thread answer nothing until a tool has ended, and what the
 * tool does would be lost with the session. A host that has gone is found out sooner by TCP.
 */
const MAX_UNANSWERED_BUSY = 12;

export function startPings({ intervalMs, isWanted, isBusy, ping, lost }: PingOptions): Pings {
  let unanswered = 0;
  let isHeard = false;
  const tick = (): void => {
    if (isHeard || !isWanted()) unanswered = 0;
    else if (unanswered >= (isBusy() ? MAX_UNANSWERED_BUSY : MAX_UNANSWERED)) {
      unanswered = 0;
      lost();
    } else {
      unanswered += 1;
      ping();
    }
    isHeard = false;
  };
  const timer = intervalMs > 0 ? setInterval(tick, intervalMs) : undefined;
  return { heard: () => void (isHeard = true), stop: () => clearInterval(timer) };
}
