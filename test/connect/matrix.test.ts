import { describe } from "node:test";

import { CLIENTS } from "./rig/clients.ts";
import { matrixOf } from "./rig/matrix.ts";
import { SDK_MODERN, behindMayfly } from "./rig/remotes.ts";

// Each transport and each crossing of the eras; `npm run test:connect` takes all clients and remotes. Not here: those
// who have no way to see a change, since that takes its time to show.
const CELLS = [
  { remote: behindMayfly("Mayfly, a session each", "legacy"), titles: ["v1"] },
  { remote: behindMayfly("Mayfly /sse, shared", "legacy"), titles: ["v1", "v2 pinned"] },
  { remote: SDK_MODERN, titles: ["v1", "v2 auto"] },
];

for (const { remote, titles } of CELLS) {
  const clients = CLIENTS.filter(({ title }) => titles.includes(title));
  describe(remote.title, () => matrixOf(remote, clients));
}
