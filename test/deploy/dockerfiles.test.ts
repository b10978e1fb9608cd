import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { validate } from "dockerfile-utils";

import { exampleFiles, numberAfter, read, unknownOptions } from "./support/examples.ts";

const examples = (await exampleFiles()).filter((file) => /\/Dockerfile[^/]*$/.test(file));
const FILES = ["Dockerfile", ...examples];

/** The rest of the last such instruction, with its continuation lines. */
function instruction(text: string, name: string): string | undefined {
  return [...text.replaceAll("\\\n", " ").matchAll(new RegExp(`^${name}\\s+(.+)$`, "gm"))].at(-1)?.[1];
}

function words(text: string, name: string): string[] {
  return JSON.parse(instruction(text, name) ?? "[]") as string[];
}

describe("Dockerfiles", () => {
  for (const file of FILES) {
    test(`${file} has no mistake that a linter sees`, async () => {
      assert.deepEqual(validate(await read(file)), []);
    });

    test(`${file} runs as nobody, below an init, with options that there are`, async () => {
      const text = await read(file);
      // What stands on the image of Mayfly has all of this from there.
      if (/^FROM mayfly$/m.test(text)) return;
      assert.equal(instruction(text, "USER"), "1000:1000");
      assert.equal(instruction(text, "ENV HOST=0.0.0.0") !== undefined, true, "it listens on all addresses");
      assert.deepEqual(words(text, "ENTRYPOINT").slice(0, 3), ["tini", "-s", "--"]);
      assert.deepEqual(unknownOptions(words(text, "CMD")), []);
      // docker stop kills after ten seconds; what has not finished takes another second or two.
      assert.ok(numberAfter(words(text, "CMD"), "--shutdown-timeout") <= 8000);
    });

    test(`${file} holds no secret, and no place of it`, async () => {
      assert.doesNotMatch(await read(file), /AUTH_KEY|STATE_SECRET|TOKEN=|PASSWORD/);
    });

    test(`${file} names the version of each image that it stands on`, async () => {
      const images = [...(await read(file)).matchAll(/(?:^FROM |IMAGE=)(\S+)/gm)].map(
        ([, image = ""]) => image,
      );
      const foreign = images.filter((image) => /[./]/.test(image) && !image.startsWith("$"));
      assert.ok(
        foreign.every((image) => /:\d[\w.-]*$/.test(image)),
        foreign.join(", "),
      );
    });
  }

  test("the example and the image agree on the health check and the start", async () => {
    const [own, example] = await Promise.all(["Dockerfile", "examples/docker/Dockerfile"].map(read));
    for (const name of ["HEALTHCHECK", "EXPOSE", "CMD"]) {
      assert.equal(instruction(example ?? "", name), instruction(own ?? "", name), name);
    }
  });

  test("the context of the image is what it copies, and nothing else", async () => {
    const lines = (await read(".dockerignore")).split("\n").filter((line) => /^[*!]/.test(line));
    const copied = [...(await read("Dockerfile")).matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
    const names = copied.flatMap(([, files = ""]) => files.split(" "));
    assert.deepEqual(lines.toSorted(), ["*", ...names.map((name) => `!${name}`)].toSorted());
  });
});
