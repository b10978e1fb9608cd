/** Names that a pattern with one `*` forbids; a name stands for itself. */
export function concrete(pattern: string): string[] {
  if (!pattern.includes("*")) return [pattern];
  return ["X", "A_1", "OPTIONS"].map((filling) => pattern.replace("*", filling));
}

/** A name in capitals, in small letters, and in both. */
export function casesOf(name: string): string[] {
  const mixed = [...name].map((letter, at) => (at % 2 === 0 ? letter.toLowerCase() : letter.toUpperCase()));
  return [...new Set([name, name.toLowerCase(), mixed.join("")])];
}
