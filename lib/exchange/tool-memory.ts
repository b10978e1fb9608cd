import { needsWrapping } from "../eras/output-schema.ts";
import { headerParameters } from "../request/header-parameters.ts";
import type { HeaderParameter } from "../request/header-parameters.ts";
import { isObject } from "../jsonrpc.ts";

/** What must be known about a tool before, or after, it is called. */
export interface KnownTool {
  readonly headers: readonly HeaderParameter[];
  /** Whether legacy clients were given another output schema. */
  readonly wrapped: boolean;
  /** Whether running it again does no harm. Source: 2025-11-25/schema, ToolAnnotations. */
  readonly repeatable: boolean;
}

/** The tools of one server, as its lists have shown them so far. */
export interface ToolMemory {
  /** Reads a result of tools/list. */
  learn(result: unknown): void;
  find(name: unknown): KnownTool | undefined;
}

/** Names that a server can make us remember. */
const MAX_TOOLS = 10_000;

export function createToolMemory(): ToolMemory {
  const tools = new Map<unknown, KnownTool>();
  return {
    learn: (result) => {
      for (const tool of toolsOf(result)) {
        if (tools.size < MAX_TOOLS || tools.has(tool["name"])) tools.set(tool["name"], knownTool(tool));
      }
    },
    find: (name) => tools.get(name),
  };
}

function toolsOf(result: unknown): Record<string, unknown>[] {
  const tools = isObject(result) ? result["tools"] : undefined;
  return Array.isArray(tools) ? tools.filter((tool) => isObject(tool)) : [];
}

function knownTool({ inputSchema, outputSchema, annotations }: Record<string, unknown>): KnownTool {
  const { readOnlyHint, idempotentHint } = isObject(annotations) ? annotations : {};
  return {
    headers: headerParameters(inputSchema),
    wrapped: needsWrapping(outputSchema),
    repeatable: readOnlyHint === true || idempotentHint === true,
  };
}
