import { sameAnswers } from "../snapshot/format.ts";
import { recordServer } from "../snapshot/record-server.ts";
import type { Recording } from "../snapshot/record-server.ts";
import { bundle } from "./bundle.ts";
import type { Candidate } from "./bundle.ts";
import { messageOf } from "./report.ts";
import { medianStartTimes, startOnce } from "./start-time.ts";
import { running } from "./subject.ts";
import type { BuildContext, Subject } from "./subject.ts";

/** What became of the bundle of a server. */
export interface Tried {
  /** Why there is none; undefined if there is one. */
  readonly reason?: string | undefined;
  /** Milliseconds, in the median; undefined if they were not measured. */
  readonly times?: { readonly before: number; readonly after: number };
  /** Whether the bundle, which is another start of the server, answered what the server did. */
  readonly sameAnswers: boolean;
}

/** A bundle is one more thing that may go wrong: it has to be worth it. */
const WORTH = 0.9;

/**
 * Makes a bundle of the server, and keeps it only if it answers the handshake and all lists as the server itself does,
 * and starts in less than 90 % of the time.
 * @param recorded what the server itself answers
 */
export async function tryBundle(
  subject: Subject,
  recorded: Recording,
  context: BuildContext,
): Promise<Tried> {
  const obstacle = obstacleTo(subject, context);
  if (obstacle !== undefined) return { reason: obstacle, sameAnswers: false };
  try {
    return await verified(await made(subject, context), subject, recorded, context);
  } catch (error) {
    return { reason: messageOf(error), sameAnswers: false };
  }
}

function obstacleTo(
  { installed, name }: Subject,
  { bundles, esbuild, options }: BuildContext,
): string | undefined {
  if (!bundles) return "--no-bundle";
  if (!installed) return "it is no package of npm";
  if (installed.entry === undefined) return "its program is not one that Node runs";
  if (options.mcpServers[name]?.permissions) return "its permissions are for the files of its package";
  return esbuild ? undefined : "esbuild is missing";
}

async function made({ folder, installed }: Subject, { esbuild }: BuildContext): Promise<Candidate> {
  if (!esbuild || !installed) throw new Error("esbuild is missing");
  return bundle(esbuild, folder, installed);
}

async function verified(
  candidate: Candidate,
  subject: Subject,
  recorded: Recording,
  context: BuildContext,
): Promise<Tried> {
  try {
    await makeCache(candidate, subject, context);
    const tried = await compared(candidate, subject, recorded, context);
    await (tried.reason === undefined ? candidate.keep() : candidate.discard());
    return tried;
  } catch (error) {
    await candidate.discard();
    throw new Error(`the bundle does not start: ${messageOf(error)}`, { cause: error });
  }
}

/** V8 draws numbers while it compiles: with the same ones, the same code is the same file. */
async function makeCache(
  { cacheMaker }: Candidate,
  { name }: Subject,
  { options }: BuildContext,
): Promise<void> {
  await startOnce(name, options, running(["--random-seed=1", cacheMaker], name, options));
}

async function compared(
  { start }: Candidate,
  { name, command }: Subject,
  recorded: Recording,
  { options }: BuildContext,
): Promise<Tried> {
  const bundled = running([start], name, options);
  const again = await recordServer(name, options, bundled);
  if (!sameAnswers(recorded.snapshot, again.snapshot)) {
    return { reason: "the bundle answers something else", sameAnswers: false };
  }
  const [before = 0, after = 0] = await medianStartTimes(name, options, [command, bundled]);
  const reason = after < before * WORTH ? undefined : "the bundle is not faster";
  return { reason, times: { before, after }, sameAnswers: true };
}
