import { sameAnswers } from "../snapshot/format.ts";
import { recordServer } from "../snapshot/record-server.ts";
import type { Recording } from "../snapshot/record-server.ts";
import { sizeOf } from "./folder-size.ts";
import { messageOf } from "./report.ts";
import type { ServerReport } from "./report.ts";
import { clearSnapshot, writeSnapshot } from "./snapshot-file.ts";
import { medianStartTimes } from "./start-time.ts";
import { fetcherOf } from "./subject.ts";
import type { BuildContext, Subject } from "./subject.ts";
import { tryBundle } from "./try-bundle.ts";
import type { Tried } from "./try-bundle.ts";

/** Bundles an installed server, and records what it answers. What cannot be done is a note, and no failure. */
export async function buildServer(subject: Subject, context: BuildContext): Promise<ServerReport> {
  const occupied = await clearSnapshot(subject.folder);
  const started = await start(subject, context);
  const tried = started.recorded && (await tryBundle(subject, started.recorded, context));
  const refusal =
    started.refusal ?? occupied ?? (await keepSnapshot(subject, started.recorded, tried, context));
  const { name, folder, installed } = subject;
  return {
    server: name,
    ...(installed && { package: installed.name, version: installed.version }),
    ...(await timesOf(subject, tried, context)),
    sizeBytes: await sizeOf(folder),
    bundled: tried !== undefined && tried.reason === undefined,
    snapshot: refusal === undefined,
    failed: false,
    notes: [...noteOnFetching(subject, context), ...notesOn(subject, tried, refusal)],
  };
}

interface Started {
  readonly recorded?: Recording;
  /** Why it cannot be recorded. */
  readonly refusal?: string;
}

/** A server may need what is there only when it serves, such as a key: it is deployed as it is. */
async function start({ name, command }: Subject, { options }: BuildContext): Promise<Started> {
  try {
    return { recorded: await recordServer(name, options, command) };
  } catch (error) {
    return { refusal: `it does not start here: ${messageOf(error)}` };
  }
}

/** @returns why there is no snapshot; undefined if there is one */
async function keepSnapshot(
  { name, folder, command }: Subject,
  recorded: Recording | undefined,
  tried: Tried | undefined,
  { snapshots, options }: BuildContext,
): Promise<string | undefined> {
  if (!snapshots || !recorded) return "--no-snapshot";
  if (!tried?.sameAnswers) {
    const again = await recordServer(name, options, command);
    if (!sameAnswers(recorded.snapshot, again.snapshot))
      return "its answers change from one start to the next";
  }
  if (recorded.exposed !== undefined) return `its answers hold the value of ${recorded.exposed}`;
  await writeSnapshot(folder, recorded.snapshot);
  return undefined;
}

async function timesOf(
  { name, command }: Subject,
  tried: Tried | undefined,
  { options }: BuildContext,
): Promise<Pick<ServerReport, "startBeforeMs" | "startAfterMs">> {
  if (!tried) return {};
  if (!tried.times) return { startBeforeMs: (await medianStartTimes(name, options, [command]))[0] ?? 0 };
  const { before, after } = tried.times;
  return { startBeforeMs: before, ...(tried.reason === undefined && { startAfterMs: after }) };
}

/** A function has no such program, and often no network. */
function noteOnFetching({ name, installed }: Subject, { options }: BuildContext): string[] {
  const fetcher = installed ? undefined : fetcherOf(name, options);
  return fetcher === undefined ? [] : [`${fetcher} fetches it when it is called`];
}

function notesOn({ installed }: Subject, tried: Tried | undefined, refusal: string | undefined): string[] {
  const { skippedScripts = [] } = installed ?? {};
  return [
    ...(installed && tried?.reason !== undefined ? [`not bundled: ${tried.reason}`] : []),
    ...(refusal === undefined ? [] : [`no snapshot: ${refusal}`]),
    ...(skippedScripts.length === 0 ? [] : [`install scripts not run: ${skippedScripts.join(", ")}`]),
  ];
}
