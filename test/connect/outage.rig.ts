// A remote that goes away for five seconds under traffic: CONNECT_STOP_MS=1000 for another time.
import { after, test } from "node:test";

import { table } from "../../bench/statistics.ts";
import { MODES, survives } from "./rig/outage.ts";

const stopMs = Number(process.env["CONNECT_STOP_MS"] ?? 5000);
const rows: string[][] = [];

after(() => {
  const head = ["remote", "signal", "calls", "errors", "service again after ms", "slowest answer ms"];
  console.log(`\n${table(head, rows)}`);
});

for (const mode of MODES) {
  for (const stop of ["SIGTERM", "SIGKILL", "SIGSTOP"] as const) {
    test(`${mode.title}: ${stop}, and back after ${stopMs} ms`, async (t) => {
      const { calls, failed, serviceAfterMs, slowestMs } = await survives(t, { mode, stop, stopMs });
      const times = [serviceAfterMs, slowestMs].map((ms) => ms.toFixed(0));
      rows.push([mode.title, stop, String(calls), String(failed), ...times]);
    });
  }
}
