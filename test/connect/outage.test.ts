import { test } from "node:test";

import { MODES, survives } from "./rig/outage.ts";

// `npm run test:connect` stops each for five seconds, and by other signals too.
for (const mode of MODES.filter(({ title }) => /a session each|sse/.test(title))) {
  test(`${mode.title}: a remote that is killed under traffic and comes back gets no call twice, and all are answered`, async (t) => {
    await survives(t, { mode, stop: "SIGKILL", stopMs: 100 });
  });
}
