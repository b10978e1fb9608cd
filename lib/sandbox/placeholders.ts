/** What placeholders stand for, in the process that is about to start. */
export interface ProcessPlaces {
  /** Its HOME. */
  readonly home: string;
  /** Its folder for temporary files. */
  readonly tmp: string;
  readonly cwd: string;
  /** The server's name. */
  readonly name: string;
  /** Variables that were given to this server, and not those that every program of the host has. */
  readonly envNames: readonly string[];
}

const NAMES = ["home", "tmp", "cwd", "name"] as const;
/** Stands for several arguments, and so alone. */
const ENV = "{env}";
/** Not JSON, nor what a shell, a template of docker or `mcp.json` itself writes in braces. */
const PLACEHOLDER = /(?<!\$)\{([A-Za-z]\w*)\}/g;

/**
 * Fills `{home}`, `{tmp}`, `{cwd}` and `{name}`. `{env}` becomes `--env NAME` for every variable: values stay in the
 * environment, as everybody on the machine can read arguments.
 */
export function fillPlaceholders(args: readonly string[], places: ProcessPlaces): string[] {
  return args.flatMap((arg) => {
    if (arg === ENV) return places.envNames.flatMap((name) => ["--env", name]);
    return [arg.replace(PLACEHOLDER, (text, name: string) => (isPlace(name) ? places[name] : text))];
  });
}

/** Why an argument cannot be filled; undefined if it can. */
export function flawOfPlaceholders(arg: string): string | undefined {
  if (arg === ENV) return undefined;
  const names = [...arg.matchAll(PLACEHOLDER)].map(([, name = ""]) => name);
  if (names.includes("env")) return `${ENV} stands for several arguments, and must be one of its own`;
  const unknown = names.find((name) => !isPlace(name));
  const known = [...NAMES, "env"].map((name) => `{${name}}`).join(", ");
  return unknown && `unknown placeholder {${unknown}}: there are ${known}`;
}

function isPlace(name: string): name is (typeof NAMES)[number] {
  return NAMES.some((known) => known === name);
}
