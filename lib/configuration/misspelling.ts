/**
 * The key that was probably meant: equal but for case, or one edit away (two for long keys).
 * Keys of other tools are further away than that, and are left alone.
 */
export function meantKey(key: string, known: readonly string[]): string | undefined {
  if (known.includes(key)) return undefined;
  return known.find(
    (candidate) => distance(key.toLowerCase(), candidate.toLowerCase()) <= tolerance(candidate),
  );
}

function tolerance(key: string): number {
  return key.length > 6 ? 2 : 1;
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    row = row.reduce<number[]>((next, above, j) => {
      const diagonal = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
      next.push(j === 0 ? i + 1 : Math.min(above + 1, (next[j - 1] ?? 0) + 1, diagonal));
      return next;
    }, []);
  }
  return row.at(-1) ?? 0;
}
