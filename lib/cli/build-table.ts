import type { ServerReport } from "../build/report.ts";

const HEAD = ["server", "version", "start", "size", "snapshot", "verdict"];

/** One line for each server, in columns. */
export function buildTable(servers: readonly ServerReport[]): string {
  const rows = [HEAD, ...servers.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cellsOf(report: ServerReport): string[] {
  const { server, version = "-", sizeBytes, snapshot, failed } = report;
  return [
    server,
    version,
    startOf(report),
    failed ? "-" : sizeText(sizeBytes),
    snapshot ? "yes" : "no",
    verdictOf(report),
  ];
}

/** Before → after, in milliseconds. */
function startOf({ startBeforeMs: before, startAfterMs: after }: ServerReport): string {
  if (before === undefined) return "-";
  return after === undefined ? `${Math.round(before)} ms` : `${Math.round(before)} → ${Math.round(after)} ms`;
}

export function sizeText(bytes: number): string {
  const mib = bytes / 1024 ** 2;
  if (mib >= 10) return `${Math.round(mib)} MiB`;
  return mib >= 0.1 ? `${mib.toFixed(1)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

function verdictOf({ bundled, failed, package: name, notes }: ServerReport): string {
  if (failed) return notes.join("; ");
  const done = bundled ? "bundled" : name === undefined ? "runs as it is" : "installed";
  return [done, ...notes].join("; ");
}
