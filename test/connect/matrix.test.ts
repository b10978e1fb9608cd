import { describe } from "node:test";

import { CLIENTS } from "./rig/clients.ts";
import { matrixOf } from "./rig/matrix.ts";
import { SDK_MODERN, behindMayfly } from "./rig/remotes.ts";

// A remote of each era and of each transport; `npm run test:connect` takes all of them.
for (const remote of [
  behindMayfly("Mayfly, a session each", "legacy"),
  behindMayfly("Mayfly /sse, shared", "legacy"),
  SDK_MODERN,
]) {
  const clients = CLIENTS.filter(({ title }) => title === "v1" || title === "v2 pinned");
  describe(remote.title, () => matrixOf(remote, clients));
}
