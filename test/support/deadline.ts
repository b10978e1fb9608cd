/** The promise, or a rejection with the label when it takes longer. */
export async function within<Value>(promise: PromiseLike<Value>, ms: number, label: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} milliseconds: ${label}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export interface Deadline {
  readonly withinMs: number;
  /** What is waited for. As a function it is asked when the time is over. */
  readonly label: string | (() => string);
}

const POLL_MS = 5;

/** The first truthy result of the check, for what no event tells of. */
export async function until<Value>(
  check: () => Value | PromiseLike<Value>,
  { withinMs, label }: Deadline,
): Promise<Exclude<Value, false | null | undefined | 0 | "">> {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await check();
    if (value) return value as Exclude<Value, false | null | undefined | 0 | "">;
    if (performance.now() >= end) throw new Error(`not within ${withinMs} milliseconds: ${textOf(label)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function textOf(label: string | (() => string)): string {
  return typeof label === "string" ? label : label();
}
