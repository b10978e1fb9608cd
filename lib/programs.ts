import { accessSync, constants } from "node:fs";
import { delimiter, resolve } from "node:path";

/** How a program is looked for. */
export interface ProgramSearch {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** The file that the system would run; undefined if there is none. On Windows a name may stand for several files. */
export function findProgram(command: string, { env, cwd }: ProgramSearch): string | undefined {
  const folders = command.includes("/") ? [""] : (env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => resolve(cwd, folder, command)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
