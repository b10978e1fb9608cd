/** A configuration that cannot work. The message names the file, the place inside it, and the reason. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}
