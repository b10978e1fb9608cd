import { join, resolve as absolute } from "node:path";

import type { HandlerOptions } from "../configuration/options.ts";
import type { EraMemory } from "../exchange/era-memory.ts";
import type { ToolMemory } from "../exchange/tool-memory.ts";
import { SERVERS_FOLDER } from "../resolve.ts";
import { SNAPSHOT_FILE } from "./format.ts";
import type { Keyed, SnapshotKey } from "./key.ts";
import { createSnapshotMemory, readBuilt } from "./memory.ts";
import type { SnapshotMemory } from "./memory.ts";

/** Read when the server is first asked for: a function pays only for the one that it runs. */
export function snapshotOf(
  { name, config, base }: Omit<Keyed, "environment">,
  { snapshot = true, logger }: Pick<HandlerOptions, "snapshot" | "logger">,
  key: () => SnapshotKey,
): SnapshotMemory | undefined {
  if (snapshot === false || config.snapshot === "never") return undefined;
  const folder = absolute(base, typeof snapshot === "string" ? snapshot : SERVERS_FOLDER);
  return createSnapshotMemory(readBuilt(join(folder, name, SNAPSHOT_FILE), key, name, logger));
}

interface Learning {
  readonly eras: EraMemory;
  readonly tools: ToolMemory;
  readonly snapshot: SnapshotMemory | undefined;
}

/** What the record tells needs not be found out: neither the era, nor the headers that repeat a tool's arguments. */
export function learnFrom({ eras, tools, snapshot }: Learning): void {
  const recorded = snapshot?.current();
  if (!recorded) return;
  eras.learn(recorded.eras);
  for (const answers of [...Object.values(recorded.legacy), recorded.modern]) {
    for (const { answer } of answers?.lists["tools/list"] ?? []) {
      tools.learn((JSON.parse(answer) as { readonly result?: unknown }).result);
    }
  }
}
