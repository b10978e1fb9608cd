import type { ToolFilter } from "./configuration/options.ts";
import { editTools } from "./eras/tool-list.ts";
import { MayflyError, errorText } from "./errors.ts";
import { idOf } from "./jsonrpc.ts";
import type { Message, RequestValue } from "./jsonrpc.ts";
import { shortened } from "./logger.ts";
import { matcherOf } from "./patterns.ts";
import { editMember, isObjectText, memberText } from "./rawjson.ts";

/** The tools of a server that its callers see and may call. None of it needs `this`. */
export interface VisibleTools {
  /** @param name as in a call; what is no text names no tool */
  readonly allows: (name: unknown) => boolean;
  /** A raw result of tools/list without the tools that are hidden. Every other byte stays, `nextCursor` too. */
  readonly listed: (result: string) => string;
  /** The raw answer to a request of that method, as its client may see it. */
  readonly shown: (method: string, answer: string) => string;
  /**
   * The answer to a call of a hidden tool, which is that of a tool that does not exist; undefined for any other
   * request. Source: 2025-11-25/server/tools, Error Handling.
   */
  readonly refusal: (request: Message<RequestValue>) => string | undefined;
}

const ALL: VisibleTools = {
  allows: () => true,
  listed: (result) => result,
  shown: (_method, answer) => answer,
  refusal: () => undefined,
};

/**
 * @param config @default all tools
 * @param onUseless is called once for each pattern that fits no tool of a list: it may be misspelt
 */
export function createToolFilter(
  { allow, deny = [] }: ToolFilter = {},
  onUseless: (pattern: string) => void = () => undefined,
): VisibleTools {
  if (allow === undefined && deny.length === 0) return ALL;
  const [isAllowed, isDenied] = [anyOf(allow ?? ["*"]), anyOf(deny)];
  const allows = (name: unknown): boolean => typeof name === "string" && isAllowed(name) && !isDenied(name);
  const check = createPatternCheck([...(allow ?? []), ...deny], onUseless);
  const listed = (result: string): string => {
    const shown = editTools(result, (tool) => {
      const name = nameIn(tool);
      check.note(name);
      return allows(name) ? tool : undefined;
    });
    if (isLastPage(result)) check.finish();
    return shown;
  };
  return {
    allows,
    listed,
    shown: (method, answer) => (method === "tools/list" ? editMember(answer, "result", listed) : answer),
    refusal: (request) => {
      const { method, params } = request.value;
      return method !== "tools/call" || allows(params?.["name"]) ? undefined : unknownTool(request);
    },
  };
}

interface PatternCheck {
  /** There is a tool of that name. */
  readonly note: (name: unknown) => void;
  /** The list is over. */
  readonly finish: () => void;
}

/** A pattern that has fitted once is none that is misspelt; of a server without tools, nothing is known. */
function createPatternCheck(patterns: readonly string[], onUseless: (pattern: string) => void): PatternCheck {
  const unused = new Map(patterns.map((pattern) => [pattern, matcherOf(pattern)]));
  let isAnyTool = false;
  return {
    note(name) {
      isAnyTool = true;
      for (const [pattern, fits] of unused)
        if (typeof name === "string" && fits(name)) unused.delete(pattern);
    },
    finish() {
      if (isAnyTool) [...unused.keys()].forEach(onUseless);
      if (isAnyTool) unused.clear();
    },
  };
}

function isLastPage(result: string): boolean {
  return isObjectText(result) && memberText(result, "nextCursor") === undefined;
}

function anyOf(patterns: readonly string[]): (name: string) => boolean {
  const matchers = patterns.map((pattern) => matcherOf(pattern));
  return (name) => matchers.some((matches) => matches(name));
}

function nameIn(tool: string): unknown {
  const name = isObjectText(tool) ? memberText(tool, "name") : undefined;
  return name === undefined ? undefined : JSON.parse(name);
}

function unknownTool(request: Message<RequestValue>): string {
  const name = request.value.params?.["name"];
  const values = { name: typeof name === "string" ? shortened(name) : "(none)" };
  return errorText(new MayflyError("TOOL_NOT_KNOWN", { values }), idOf(request));
}
