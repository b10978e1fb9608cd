/** A member of an object that has one of that name before it. */
export interface Duplicate {
  /** From the top: `mcpServers.a`. */
  readonly path: string;
  /** Where it begins in the text. */
  readonly at: number;
}

/** An object or an array that is open. */
interface Level {
  readonly names: Set<string>;
  /** Of the member that is read; in an array, its index. */
  step: string | number;
}

/** A string, with the colon behind it if it names a member; and what opens, ends and separates. */
const TOKEN = /"(?:\\.|[^"\\])*"(\s*:)?|[{}[\],]/g;

/** @param json valid JSON: nothing else is looked at than names and brackets */
export function findDuplicate(json: string): Duplicate | undefined {
  const levels: Level[] = [];
  for (const { 0: token, 1: colon, index } of json.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === "{" || token === "[") levels.push({ names: new Set(), step: token === "[" ? 0 : "" });
    else if (token === "}" || token === "]") levels.pop();
    else if (token === "," && typeof level?.step === "number") level.step += 1;
    else if (level && colon !== undefined && !enter(level, token.slice(0, -colon.length))) {
      return { path: pathOf(levels), at: index };
    }
  }
  return undefined;
}

/** Names are compared as they are read: an escape may stand for a letter. */
function enter(level: Level, name: string): boolean {
  const step = JSON.parse(name) as string;
  level.step = step;
  const isNew = !level.names.has(step);
  level.names.add(step);
  return isNew;
}

function pathOf(levels: readonly Level[]): string {
  const steps = levels.map(({ step }) => (typeof step === "number" ? `[${step}]` : `.${step}`));
  return steps.join("").replace(/^\./, "");
}
