/** Numbers that are the same for the same seed. */
export interface Random {
  /** An integer from 0 up to and without the limit. */
  below(limit: number): number;
  /** One of them. */
  pick<Value>(values: readonly Value[]): Value;
}

/** Mulberry32: enough to mix requests, and for nothing else. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: (values) => values[below(values.length)] as (typeof values)[number] };
}
