/** A signal that others fire, until it is ended. */
export interface Linked {
  readonly signal: AbortSignal;
  /** Leaves the others alone: they may live far longer, and hold on to it. */
  end(): void;
}

/** Not `AbortSignal.any`, whose signals stay with sources that live on, in some versions of Node 20 and 22. */
export function linked(...sources: readonly AbortSignal[]): Linked {
  const controller = new AbortController();
  const fire = ({ target }: Event): void => controller.abort((target as AbortSignal).reason);
  for (const source of sources) {
    if (source.aborted) controller.abort(source.reason);
    else source.addEventListener("abort", fire);
  }
  return {
    signal: controller.signal,
    end() {
      for (const source of sources) source.removeEventListener("abort", fire);
    },
  };
}
