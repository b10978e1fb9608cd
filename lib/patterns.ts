/**
 * Tells whether a whole text fits a pattern in which `*` stands for any characters and nothing else is special.
 * Linear, where a regular expression of the same meaning would try every way to part a text among its stars: the
 * pattern's pieces are looked for one after the other, each as far to the left as it can stand.
 */
export function matcherOf(pattern: string): (text: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(first)) return false;
    const end = endOfPieces(rest, text, first.length);
    return end <= text.length - last.length && text.endsWith(last);
  };
}

/** Where the last of the pieces ends; beyond the text if one of them is missing. */
function endOfPieces(pieces: readonly string[], text: string, from: number): number {
  let at = from;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found === -1) return Number.POSITIVE_INFINITY;
    at = found + piece.length;
  }
  return at;
}
