import { randomUUID } from "node:crypto";
import type { Dir, Dirent } from "node:fs";
import { chmod, opendir, rename, rmdir, unlink } from "node:fs/promises";
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
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (triesLeft === 0) throw error;
    }
    await delay(PAUSE_MS);
  }
}

/** What was killed may still write for a moment. */
const TRIES = 4;
const PAUSE_MS = 100;

/** Every folder is moved up before it is emptied: a path to it may be longer than systems take. */
async function removeOnce(top: Buffer): Promise<void> {
  await chmod(top, WRITABLE);
  const due = [top];
  for (let folder = due.pop(); folder; folder = due.pop()) {
    for await (const inner of foldersLeftIn(folder))
      due.push(folder === top ? inner : await moveTo(top, inner));
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
    if (!entry.isDirectory()) await unlink(path);
    else {
      await chmod(path, WRITABLE);
      yield path;
    }
  }
}

/** Names need not be UTF-8. The types know no such encoding. */
const BYTES = "buffer" as BufferEncoding;

type Entry = Omit<Dirent, "name"> & { readonly name: Buffer };

async function moveTo(top: Buffer, path: Buffer): Promise<Buffer> {
  const moved = inside(top, Buffer.from(randomUUID()));
  await rename(path, moved);
  return moved;
}

function inside(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from(sep), name]);
}
