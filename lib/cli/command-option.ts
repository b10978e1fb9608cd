import { Option } from "commander";

/** What every option of a command says of itself. */
export interface CommandOption {
  /** As commander writes it. */
  readonly flags: string;
  /** The environment variable that stands for it. */
  readonly variable?: string;
  readonly meaning: string;
  /** What is shown as its default; the default itself stands where it is used. */
  readonly otherwise?: string;
  /** Given several times: one list of all, or read each for itself. Otherwise all must be the same. */
  readonly repeats?: "list" | "each";
  /** Left out of the help: an accepted spelling of other proxies that has none of ours. */
  readonly hidden?: true;
}

/** The option as users write it. */
export function nameOf(option: CommandOption): string {
  return commanderOption(option).long ?? option.flags;
}

/** The option as commander knows it. */
export function commanderOption({
  flags,
  variable,
  otherwise,
  meaning,
  repeats,
  hidden,
}: CommandOption): Option {
  const notes = [
    ...(variable === undefined ? [] : [`env: ${variable}`]),
    ...(otherwise === undefined ? [] : [`default: ${otherwise}`]),
  ];
  const option = new Option(flags, notes.length === 0 ? meaning : `${meaning} (${notes.join("; ")})`);
  if (repeats) option.argParser<readonly string[] | undefined>((text, before) => [...(before ?? []), text]);
  // Of what begins with --no, commander makes true where nobody has written it.
  if (option.negate) option.default(null);
  return option.hideHelp(hidden ?? false);
}
