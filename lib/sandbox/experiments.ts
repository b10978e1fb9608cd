import type { ServerConfig } from "../configuration/options.ts";
import { endOf, judgeEnvironment, judgeGroup, refusal } from "./judges.ts";
import type { Finding, Judge } from "./judges.ts";
import { observe } from "./observation.ts";
import type { Laboratory, Observation } from "./observation.ts";

export type RungName =
  | ("environment" | "group" | "cpu" | "addressSpace" | "heap" | "openFiles" | "fileSize")
  | ("permissions" | "permissions:net" | "wrapper:bwrap" | "wrapper:docker" | "wrapper:podman");

/** A program that does what a rung should prevent. */
export interface Experiment {
  readonly rung: RungName;
  /** What is started. */
  readonly config: ServerConfig;
  readonly judge: Judge;
}

/** @param image for containers; without one, they are not tried */
export function experiments(image: string | undefined): readonly Experiment[] {
  return [...WITHOUT_IMAGE, container("docker", image), container("podman", image)];
}

/** MiB that a program may address, and asks for: far more than Node reserves for itself, and none of it is used. */
const ADDRESS_SPACE = { limit: 8192, asked: 10_240, step: 256 };
const ASK_FOR_MEMORY = `const all = [];
for (let mib = 0; mib < ${ADDRESS_SPACE.asked}; mib += ${ADDRESS_SPACE.step})
  try { all.push(new ArrayBuffer(${ADDRESS_SPACE.step} * 2 ** 20)); } catch { console.log(mib); process.exit(); }
console.log("done");`;

const WITHOUT_IMAGE: readonly Experiment[] = [
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

/** Node, with a text that it runs. */
function node(code: string, config: Partial<ServerConfig> = {}): ServerConfig {
  return { command: process.execPath, args: ["-e", code], ...config };
}

/** A program that prints the code of the error that it gets, or `done`. */
function trying(code: string, config: Partial<ServerConfig> = {}): ServerConfig {
  return node(`try { ${code}; console.log("done"); } catch ({ code }) { console.log(code); }`, config);
}

/** A host that refuses so much memory to everybody shows nothing of the limit. */
async function judgeAddressSpace(
  { lines: [said], exit }: Observation,
  laboratory: Laboratory,
): Promise<Finding> {
  if (said === "done") return { holds: false, why: `a program got more than ${ADDRESS_SPACE.limit} MiB` };
  if (said === undefined) return { holds: false, why: `a program ended with ${endOf(exit)}` };
  const without = await observe(node(ASK_FOR_MEMORY), laboratory);
  return without.lines[0] === "done"
    ? { holds: true, why: `a program was refused memory after ${said} MiB, and not without a limit` }
    : { holds: false, why: "this host refuses that much memory without a limit too" };
}

/** Without an image nothing is started: to fetch one is not for an experiment to do. */
function container(command: "docker" | "podman", image: string | undefined): Experiment {
  const rung = `wrapper:${command}` as const;
  if (image === undefined) {
    const judge = ({ exit }: Observation): Finding => ({
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
