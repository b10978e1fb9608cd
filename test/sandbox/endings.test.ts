import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { ServerLimits } from "../../lib/index.ts";
import { endedByLimit, failedStart } from "../../lib/sandbox/endings.ts";
import type { Ending } from "../../lib/sandbox/endings.ts";
import type { Sandbox } from "../../lib/sandbox/sandbox.ts";

const ALL: ServerLimits = { cpuSeconds: 10, addressSpaceMiB: 4096, heapMiB: 64, openFiles: 9, fileMiB: 2 };

function ended(how: number | NodeJS.Signals, stderr = ""): Ending {
  return typeof how === "number" ? { code: how, signal: null, stderr } : { code: null, signal: how, stderr };
}

describe("what ended a process under limits", () => {
  const heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
  const rows: readonly (readonly [ServerLimits | undefined, Ending, string | undefined])[] = [
    [ALL, ended("SIGXCPU"), "used more than 10 seconds of CPU"],
    [ALL, ended(152), "used more than 10 seconds of CPU"],
    [ALL, ended("SIGKILL"), "used more than 10 seconds of CPU, or the host ran out of memory"],
    [ALL, ended("SIGXFSZ"), "wrote a file of more than 2 MiB"],
    [ALL, ended("SIGABRT", heap), "used more than its heap of 64 MiB"],
    [ALL, ended(134, heap), "used more than its heap of 64 MiB"],
    [ALL, ended("SIGSEGV"), "perhaps for want of address space, of which it may have 4096 MiB"],
    [ALL, ended("SIGTERM"), undefined],
    [ALL, ended(1, heap), undefined],
    [ALL, ended(0), undefined],
    [{ openFiles: 9 }, ended("SIGABRT", heap), undefined],
    [{}, ended("SIGXCPU"), undefined],
    [undefined, ended("SIGKILL"), undefined],
  ];
  for (const [limits, ending, why] of rows) {
    test(`${JSON.stringify(ending)} under ${JSON.stringify(limits)}`, () => {
      assert.equal(endedByLimit(limits, ending), why);
    });
  }
});

describe("what kept a server from starting", () => {
  const sandbox = (more: Partial<Sandbox>): Sandbox => {
    return { name: "a", wrapper: [], limits: {}, launcher: "sh", permissions: undefined, plain: {}, ...more };
  };
  const limits = { openFiles: 9 };
  const said = "sh: error\nmayfly: cannot set the limit openFiles\n";
  const prlimit = "prlimit: failed to set the NOFILE resource limit: Operation not permitted\n";
  const rows: readonly (readonly [Sandbox | undefined, Ending, string | undefined])[] = [
    [sandbox({ limits }), ended(125, said), "this host does not allow the limit openFiles of 9"],
    [sandbox({ limits }), ended(1, prlimit), "this host does not allow the limit openFiles of 9"],
    [sandbox({ limits }), ended(125), undefined],
    [sandbox({ limits }), ended(1, said), undefined],
    [sandbox({ limits: { fileMiB: 1 } }), ended(125, said), undefined],
    [sandbox({ limits }), ended(125, "mayfly: cannot set the limit constructor\n"), undefined],
    [sandbox({ limits }), ended(127), "exit code 127: no such program"],
    [sandbox({ wrapper: ["env"] }), ended(126), "exit code 126: its program cannot be executed"],
    [sandbox({}), ended(127), undefined],
    [sandbox({ limits }), ended("SIGKILL", said), undefined],
    [undefined, ended(127), undefined],
  ];
  for (const [given, ending, why] of rows) {
    const { wrapper, limits: under } = given ?? {};
    test(`${JSON.stringify(ending)} in ${JSON.stringify({ wrapper, under })}`, () => {
      assert.equal(failedStart(given, ending), why);
    });
  }
});
