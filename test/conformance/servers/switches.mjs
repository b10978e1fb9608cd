// Lists that change have one member which is listed or not. Whether it is stands in a folder, since the process that
// changes a list is not the one that tells a subscriber.
import { existsSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = process.env.SWITCHES;

export function isOn(name) {
  return FOLDER !== undefined && existsSync(join(FOLDER, name));
}

export function flip(name) {
  if (FOLDER === undefined) throw new Error("SWITCHES names no folder");
  if (isOn(name)) rmSync(join(FOLDER, name));
  else writeFileSync(join(FOLDER, name), "");
}

/** Calls back with the name of what was flipped, by whichever process. Keeps no process alive. */
export function onFlip(listener) {
  if (FOLDER === undefined) return;
  const told = new Map();
  const tell = (_event, name) => {
    const now = isOn(name);
    if (told.get(name) === now) return;
    told.set(name, now);
    listener(name);
  };
  watch(FOLDER, tell).unref();
}
