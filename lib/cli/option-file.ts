import { readFileSync } from "node:fs";

import { ConfigurationError } from "../configuration/error.ts";

/** Reads the file that an option names. @throws ConfigurationError that names both */
export function readFileFor(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const { code = "unreadable" } = cause as NodeJS.ErrnoException;
    throw new ConfigurationError(`${option}: ${file} cannot be read (${code})`, { cause });
  }
}
