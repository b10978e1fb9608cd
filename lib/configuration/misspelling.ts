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

/**
 * The same where no other keys are known, so that whatever comes nearest was meant: a key with all the letters of this
 * one, or one that is a few more edits away.
 */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const longer = known.find((candidate) => isShortFor(key.toLowerCase(), candidate.toLowerCase()));
  if (longer !== undefined) return longer;
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: distance(key.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits < key.length && edits <= Math.max(2, candidate.length / 3))
    .toSorted((one, other) => one.edits - other.edits);
  return nearest?.candidate;
}

/** Whether its letters stand in the text in their order, and are not too few of them: "cmd" for "command". */
function isShortFor(letters: string, text: string): boolean {
  let at = 0;
  for (const letter of text) if (letter === letters[at]) at += 1;
  return at === letters.length && at >= Math.max(3, text.length / 3);
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
