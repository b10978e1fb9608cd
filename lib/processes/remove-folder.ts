import { randomUUID } from "node:crypto";
import { constants, existsSync } from "node:fs";
import type { Dir, Dirent } from "node:fs";
import { chmod, lstat, open, opendir, rename, rmdir, unlink } from "node:fs/promises";
import { sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Removes a folder that a stranger's program has filled, with all that is in it; one that is gone already is fine. Unlike
 * `rm` of Node it holds nobody up by very many files, and no folder is too deep for it.
 * @throws whatever keeps it from that, such as a program that still writes there
 */
export async function removeFolder(folder: string): Promise<void> {
  for (let triesLeft = TRIES - 1; ; triesLeft -= 1) {
    try {
      return await removeOnce(Buffer.from(folder));
    } catch (error) {
      // It may also be something in it that is gone.
      if (!existsSync(folder)) return;
      if (triesLeft === 0) throw error;
    }
    await delay(PAUSE_MS);
  }
}

/** What was killed may still write for a moment. */
const TRIES = 4;
const PAUSE_MS = 100;

/**
 * Every folder is moved up before it is emptied: a path to it may be longer than systems take. And where it is then, a
 * program that still runs in a container, and has only what is below mounted, cannot put a link in its place.
 */
async function removeOnce(top: Buffer): Promise<void> {
  await chmod(top, WRITABLE);
  const due = [top];
  for (let folder = due.pop(); folder; folder = due.pop()) {
    for await (const inner of foldersLeftIn(folder)) {
      const reached = folder === top ? inner : await movedTo(top, inner);
      if (await isEmptiable(reached)) due.push(reached);
    }
    if (folder !== top) await rmdir(folder);
  }
  await rmdir(top);
}

/** Some programs write-protect the folders of their caches. To move a folder the system writes into it too. */
const WRITABLE = 0o700;

/** One after the other, as the system gives them: to read all names at once takes seconds where there are very many. */
async function* foldersLeftIn(folder: Buffer): AsyncGenerator<Buffer, void, void> {
  for await (const entry of (await opendir(folder, { encoding: BYTES })) as Dir & AsyncIterable<Entry>) {
    const path = inside(folder, entry.name);
    if (entry.isDirectory()) yield path;
    else await unlink(path);
  }
}

/** Names need not be UTF-8. The types know no such encoding. */
const BYTES = "buffer" as BufferEncoding;

type Entry = Omit<Dirent, "name"> & { readonly name: Buffer };

async function movedTo(top: Buffer, path: Buffer): Promise<Buffer> {
  const moved = inside(top, Buffer.from(randomUUID()));
  await rename(path, moved).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
    await makeWritable(path);
    await rename(path, moved);
  });
  return moved;
}

/** Removes what is no folder any more. */
async function isEmptiable(reached: Buffer): Promise<boolean> {
  const isFolder = (await lstat(reached)).isDirectory();
  await (isFolder ? chmod(reached, WRITABLE) : unlink(reached));
  return isFolder;
}

/** Of what is a folder when it is opened: chmod by a path would follow a link that has taken its place. */
async function makeWritable(path: Buffer): Promise<void> {
  const { O_DIRECTORY, O_NOFOLLOW } = constants;
  const folder = await open(path, O_DIRECTORY | O_NOFOLLOW | O_PATH);
  try {
    await (O_PATH === 0 ? folder.chmod(WRITABLE) : chmod(`/proc/self/fd/${folder.fd}`, WRITABLE));
  } finally {
    await folder.close();
  }
}

/** Opens also what cannot be read, to be named by its descriptor. Source: open(2), on Linux. Node does not name it. */
const O_PATH = process.platform === "linux" ? 0o10000000 : 0;

function inside(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from(sep), name]);
}
