/** Shorter values ("1", "true", "info") are no secrets, and masking them would make a message unreadable. */
const MIN_SECRET_LENGTH = 6;

/** The text with every secret replaced by `***`. For what servers print: they may quote their environment. */
export function mask(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .toSorted((a, b) => b.length - a.length)
    .reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}
