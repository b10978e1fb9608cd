import { stat } from "node:fs/promises";

/** Milliseconds between looks. Events of the file system do not come through bind mounts, and miss a replaced file. */
const POLL_MS = 500;

/** What reading gave, or the error that it ended with. */
export type Reading<Content> = { readonly content: Content } | { readonly error: unknown };

/**
 * Reads files again whenever one of them has changed and then all stayed the same for one look: what is still being
 * written is not read. A file that is replaced counts as changed, and so does one that goes or comes back. Does not keep the process
 * alive. The first reading comes soon after the start, for a change that nobody saw.
 * @param read must throw what is wrong with them
 * @returns how to stop
 */
export function watchFiles<Content>(
  paths: readonly string[],
  read: () => Content,
  use: (reading: Reading<Content>) => void,
): () => void {
  let [seen, used]: (string | undefined)[] = [undefined, undefined];
  let timer: NodeJS.Timeout | undefined;
  const stopped = new AbortController();
  const look = async (): Promise<void> => {
    const now = await stateOf(paths);
    if (now === seen && now !== used) {
      const reading = attempt(read);
      // What has changed under the reader is read again later.
      if ((await stateOf(paths)) === now && !stopped.signal.aborted) {
        used = now;
        use(reading);
      }
    }
    seen = now;
    next();
  };
  const next = (): void => {
    if (!stopped.signal.aborted) timer = setTimeout(() => void look(), POLL_MS).unref();
  };
  next();
  return () => {
    stopped.abort();
    clearTimeout(timer);
  };
}

async function stateOf(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(stateOfOne))).join();
}

/** Names a state of the file, or why there is none. */
async function stateOfOne(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(":");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}

function attempt<Content>(read: () => Content): Reading<Content> {
  try {
    return { content: read() };
  } catch (error) {
    return { error };
  }
}
