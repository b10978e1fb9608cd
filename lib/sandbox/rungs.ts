import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { ConfigurationError } from "../configuration/error.ts";
import type { ServerConfig } from "../configuration/options.ts";
import { seen } from "./experiment.ts";
import type { Lab, Seen } from "./experiment.ts";

/** Something that keeps a server in bounds, and whether it holds on this host. */
export interface Rung {
  readonly rung: RungName;
  /** Whether it was seen to hold: false also where it could not be tried. */
  readonly holds: boolean;
  /** What was seen. */
  readonly why: string;
}

export type RungName =
  | ("environment" | "group" | "cpu" | "addressSpace" | "heap" | "openFiles" | "fileSize")
  | ("permissions" | "permissions:net" | "wrapper:bwrap" | "wrapper:docker" | "wrapper:podman");

export interface FindRungsOptions {
  /** An image on this host that has the program `true`, for docker and podman. @default none: they are not tried */
  readonly image?: string;
  /** Milliseconds for each experiment, which all run at the same time. @default 20000 */
  readonly timeoutMs?: number;
}

/**
 * Finds out which rungs of the sandbox ladder hold on this host, by an experiment for each: a program that does what
 * the rung should prevent. What was not seen does not hold. Takes two seconds on an idle machine, and leaves nothing.
 */
export async function findRungs({ image, timeoutMs = 20_000 }: FindRungsOptions = {}): Promise<Rung[]> {
  const folder = await mkdtemp(join(tmpdir(), "mayfly-rungs-"));
  try {
    await writeFile(join(folder, "closed"), "");
    const experiments = [...EXPERIMENTS, container("docker", image), container("podman", image)];
    return await Promise.all(experiments.map((experiment) => tried(experiment, { folder, timeoutMs })));
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

type Finding = Omit<Rung, "rung">;

interface Experiment {
  readonly rung: RungName;
  /** What is started. */
  readonly config: ServerConfig;
  /** What it shows. */
  readonly judge: (what: Seen, lab: Lab) => Finding | Promise<Finding>;
}

/** An experiment that cannot be made shows nothing, and must not keep the others from showing something. */
async function tried({ rung, config, judge }: Experiment, lab: Lab): Promise<Rung> {
  try {
    const what = await seen(config, lab);
    const { error } = what.exit ?? {};
    if (error)
      return { rung, holds: false, why: `${programOf(config)} could not be started (${error.code})` };
    if (!what.exit)
      return { rung, holds: false, why: `nothing was seen within ${lab.timeoutMs} milliseconds` };
    return { rung, ...(await judge(what, lab)) };
  } catch (error) {
    return { rung, holds: false, why: reasonOf(error) };
  }
}

function programOf({ command, wrapper = [] }: ServerConfig): string {
  return wrapper[0] ?? command;
}

/** Without the place in a configuration that nobody has written. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  return error instanceof ConfigurationError ? message.replace(/^\S+: /, "") : message;
}

/** Node, with a text that it runs. */
function node(code: string, config: Partial<ServerConfig> = {}): ServerConfig {
  return { command: process.execPath, args: ["-e", code], ...config };
}

/** A program that prints the code of the error that it gets, or `done`. */
function trying(code: string, config: Partial<ServerConfig> = {}): ServerConfig {
  return node(`try { ${code}; console.log("done"); } catch ({ code }) { console.log(code); }`, config);
}

/** @param what was refused, as in "was refused to …" */
function refusal(expected: string, what: string): Experiment["judge"] {
  return ({ lines: [said], exit }) =>
    said === expected
      ? { holds: true, why: `a program was refused to ${what} (${expected})` }
      : { holds: false, why: `a program was not refused to ${what} (${said ?? endOf(exit)})` };
}

function endOf(exit: Seen["exit"]): string {
  return exit?.signal ?? `exit code ${exit?.code}`;
}

/** MiB that a program may address, and asks for: far more than Node reserves for itself, and none of it is used. */
const ADDRESS_SPACE = { limit: 8192, asked: 10_240, step: 256 };
const ASK_FOR_MEMORY = `const all = [];
for (let mib = 0; mib < ${ADDRESS_SPACE.asked}; mib += ${ADDRESS_SPACE.step})
  try { all.push(new ArrayBuffer(${ADDRESS_SPACE.step} * 2 ** 20)); } catch { console.log(mib); process.exit(); }
console.log("done");`;

const EXPERIMENTS: readonly Experiment[] = [
  {
    rung: "environment",
    config: node("Object.keys(process.env).forEach((name) => console.log(name));"),
    judge: judgeEnvironment,
  },
  {
    rung: "group",
    config: node(`const { pid } = require("node:child_process").spawn(process.execPath,
      ["-e", "setInterval(() => {}, 1e6)", process.cwd()], { stdio: "ignore" });
      console.log(pid); process.exit();`),
    judge: judgeGroup,
  },
  {
    rung: "cpu",
    config: node("for (;;);", { limits: { cpuSeconds: 1 } }),
    judge: ({ exit }) =>
      exit?.signal === "SIGXCPU"
        ? { holds: true, why: "a program that computed for a second was ended by SIGXCPU" }
        : { holds: false, why: `a program that computed for a second ended with ${endOf(exit)}` },
  },
  {
    rung: "addressSpace",
    config: node(ASK_FOR_MEMORY, { limits: { addressSpaceMiB: ADDRESS_SPACE.limit } }),
    judge: judgeAddressSpace,
  },
  {
    rung: "heap",
    config: node("for (const all = []; ; ) all.push(new Array(1000).fill(Math.random()));", {
      limits: { heapMiB: 32, coreMiB: 0 },
    }),
    judge: ({ stderr, exit }) =>
      stderr.includes("heap out of memory")
        ? { holds: true, why: `a program that filled its heap of 32 MiB was ended by ${endOf(exit)}` }
        : { holds: false, why: `a program that filled its heap ended with ${endOf(exit)}, not for that` },
  },
  {
    rung: "openFiles",
    config: trying('for (let at = 0; at < 64; at += 1) require("node:fs").openSync("closed")', {
      limits: { openFiles: 64 },
    }),
    judge: refusal("EMFILE", "open more than 64 files"),
  },
  {
    rung: "fileSize",
    config: trying('require("node:fs").writeFileSync("large", Buffer.alloc(2 ** 21))', {
      limits: { fileMiB: 1 },
    }),
    judge: refusal("EFBIG", "write a file of 2 MiB where 1 MiB is the limit"),
  },
  {
    rung: "permissions",
    config: trying('require("node:fs").readFileSync("closed")', { permissions: {} }),
    judge: refusal("ERR_ACCESS_DENIED", "read a file"),
  },
  {
    rung: "permissions:net",
    config: node(
      `require("node:net").connect(9, "127.0.0.1").on("error", ({ code }) => console.log(code))
        .on("connect", () => process.exit());`,
      { permissions: { net: false } },
    ),
    judge: refusal("ERR_ACCESS_DENIED", "connect to a port"),
  },
  {
    rung: "wrapper:bwrap",
    config: trying('require("node:fs").writeFileSync("written", "")', {
      wrapper: [
        ...["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"],
        ...["--unshare-all", "--die-with-parent", "--"],
      ],
    }),
    judge: refusal("EROFS", "write outside of its sandbox"),
  },
];

/** macOS gives every program a variable of its own. */
const OF_THE_SYSTEM = /^__CF/;

function judgeEnvironment({ lines, given }: Seen): Finding {
  const more = lines.filter((name) => !given.includes(name) && !OF_THE_SYSTEM.test(name));
  const own = Object.keys(process.env).length;
  return more.length === 0 && lines.length > 0
    ? { holds: true, why: `a program found ${lines.length} variables, of the ${own} that this process has` }
    : { holds: false, why: `a program found ${more.length} variables that it was not given` };
}

/** Milliseconds for a process to go after its SIGKILL. */
const GOING_MS = 2000;
const POLL_MS = 10;

async function judgeGroup({ lines: [said] }: Seen): Promise<Finding> {
  const pid = Number(said);
  if (!(pid > 1)) return { holds: false, why: "a program could not start another one" };
  const end = performance.now() + GOING_MS;
  while (isAlive(pid) && performance.now() < end) await delay(POLL_MS);
  if (!isAlive(pid)) return { holds: true, why: "what a program had started was ended with it" };
  process.kill(pid, "SIGKILL");
  return { holds: false, why: "what a program had started outlived it" };
}

/** Where nobody reaps orphans, one that has ended stays as a zombie. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) [ZX] /.test(statOf(pid));
  } catch {
    return false;
  }
}

/** Empty where there is no /proc. */
function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return "";
  }
}

/** A host that refuses so much memory to everybody shows nothing of the limit. */
async function judgeAddressSpace({ lines: [said], exit }: Seen, lab: Lab): Promise<Finding> {
  if (said === "done") return { holds: false, why: `a program got more than ${ADDRESS_SPACE.limit} MiB` };
  if (said === undefined) return { holds: false, why: `a program ended with ${endOf(exit)}` };
  const without = await seen(node(ASK_FOR_MEMORY), lab);
  return without.lines[0] === "done"
    ? { holds: true, why: `a program was refused memory after ${said} MiB, and not without a limit` }
    : { holds: false, why: "this host refuses that much memory without a limit too" };
}

/** Without an image nothing is started: to fetch one is not for an experiment to do. */
function container(command: "docker" | "podman", image: string | undefined): Experiment {
  const rung = `wrapper:${command}` as const;
  if (image === undefined) {
    const judge = ({ exit }: Seen): Finding => ({
      holds: false,
      why: exit?.code === 0 ? `${command} answers; name an image to try it` : `${command} does not answer`,
    });
    return { rung, config: { command, args: ["info"] }, judge };
  }
  const wrapper = [command, "run", "--rm", "--init", "--network", "none", "--pull", "never", image];
  return {
    rung,
    config: { command: "true", wrapper },
    judge: ({ exit }) =>
      exit?.code === 0
        ? { holds: true, why: `a container of ${image} ran, and is removed` }
        : { holds: false, why: `${command} could not run ${image} (${endOf(exit)})` },
  };
}
