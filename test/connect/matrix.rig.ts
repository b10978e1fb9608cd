// The whole matrix: what a client can do with a remote directly, it can do through `mayfly connect`.
// CONNECT_THROUGH=mcp-remote puts that in its place; CONNECT_REMOTES=/sse takes only the remotes with this in the title.
import { describe } from "node:test";

import { matrixOf } from "./rig/matrix.ts";
import { EVERYTHING_HTTP, EVERYTHING_SSE, SDK_DUAL, SDK_MODERN, behindMayfly } from "./rig/remotes.ts";

const REMOTES = [
  ...["legacy", "dual", "modern-only", "everything"].flatMap((server) => [
    behindMayfly("Mayfly, stateless", server),
    behindMayfly("Mayfly, a session each", server),
    behindMayfly("Mayfly /sse, a process each", server),
  ]),
  // In a shared process of server-everything one client's switches are those of the other.
  ...["legacy", "dual"].flatMap((server) => [
    behindMayfly("Mayfly, a shared session", server),
    behindMayfly("Mayfly /sse, shared", server),
  ]),
  EVERYTHING_HTTP,
  EVERYTHING_SSE,
  SDK_DUAL,
  SDK_MODERN,
];
const part = process.env["CONNECT_REMOTES"] ?? "";

for (const remote of REMOTES.filter(({ title }) => title.includes(part))) {
  describe(remote.title, () => matrixOf(remote));
}
