import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { parseMcpJson } from "../../lib/index.ts";
import { isHealth } from "../../lib/routes.ts";
import {
  VARIABLES,
  exampleFiles,
  numberAfter,
  read,
  toml,
  unknownOptions,
  yaml,
} from "./support/examples.ts";

const FILES = await exampleFiles();

function asksForHealth(path: string): boolean {
  return isHealth(new URL(path, "http://localhost"));
}

describe("the examples", () => {
  test("hold configurations that Mayfly takes", async () => {
    const configurations = FILES.filter((file) => file.endsWith("/mcp.json"));
    assert.ok(configurations.length >= 3);
    for (const file of configurations) {
      assert.ok(Object.keys(parseMcpJson(await read(file), file, {}).mcpServers).length > 0, file);
    }
  });

  test("hold manifests that ask for this version of Mayfly", async () => {
    const { version } = JSON.parse(await read("package.json")) as { version: string };
    const manifests = FILES.filter((file) => file.endsWith("/package.json"));
    assert.ok(manifests.length >= 3);
    for (const file of manifests) {
      const { dependencies } = JSON.parse(await read(file)) as { dependencies: Record<string, string> };
      assert.equal(dependencies["mcp-mayfly"], `^${version}`, file);
    }
  });

  test("hold no key", async () => {
    for (const file of FILES) assert.doesNotMatch(await read(file), /[0-9a-f]{32}/, file);
  });
});

test("the compose file confines the container, and lets it finish", async () => {
  const [{ services, secrets }] = await yaml("examples/docker/compose.yaml");
  const { mayfly } = services;
  assert.deepEqual(
    [mayfly.read_only, mayfly.cap_drop, mayfly.security_opt],
    [true, ["ALL"], ["no-new-privileges:true"]],
  );
  assert.deepEqual(
    Object.keys(mayfly.environment).filter((name) => !VARIABLES.has(name)),
    [],
  );
  assert.equal(mayfly.environment.AUTH_KEY_FILE, `/run/secrets/${mayfly.secrets[0]}`);
  assert.deepEqual(Object.keys(secrets), mayfly.secrets);
  assert.match(mayfly.ports[0], /^127\.0\.0\.1:\d+:8000$/);
  assert.ok(Number.parseInt(mayfly.stop_grace_period, 10) > 8 + 2);
  // A dozen threads a process, and those of Mayfly.
  assert.ok(mayfly.pids_limit > Number(mayfly.environment.MAX_PROCESSES) * 12 + 30);
});

test("the service of Cloud Run gives an instance what it can start, and asks for its health", async () => {
  const [{ spec }] = await yaml("examples/cloud-run/service.yaml");
  const { containers, containerConcurrency } = spec.template.spec;
  const [container] = containers;
  assert.deepEqual(unknownOptions(container.args), []);
  assert.equal(numberAfter(container.args, "--max-processes"), containerConcurrency);
  assert.ok(numberAfter(container.args, "--shutdown-timeout") <= 8000, "it is killed after ten seconds");
  assert.deepEqual(
    container.env.filter(({ name }: { name: string }) => !VARIABLES.has(name)),
    [],
  );
  for (const probe of [container.startupProbe, container.livenessProbe]) {
    assert.ok(asksForHealth(probe.httpGet.path));
    // Cloud Run keeps some paths that end with z for itself.
    assert.doesNotMatch(probe.httpGet.path, /z$/);
  }
});

test("Cloud Build takes what the Dockerfile asks of it", async () => {
  const [{ steps, images }] = await yaml("examples/cloud-run/cloudbuild.yaml");
  const [step] = steps;
  assert.match(await read("Dockerfile"), /RUN --mount=/);
  assert.ok(step.env.includes("DOCKER_BUILDKIT=1"));
  assert.equal(step.args[step.args.indexOf("--tag") + 1], images[0]);
  assert.match(
    await read("docs/deploy/cloud-run.md"),
    /^gcloud builds submit --config .* --substitutions "_IMAGE=/m,
  );
});

test("the file of Fly agrees with itself, and waits for what runs", async () => {
  const { env, http_service: service, kill_timeout: killTimeout } = await toml("examples/fly/fly.toml");
  assert.deepEqual(
    Object.keys(env).filter((name) => !VARIABLES.has(name)),
    [],
  );
  assert.equal(String(service.internal_port), env.PORT);
  assert.equal(String(service.concurrency.hard_limit), env.MAX_PROCESSES);
  assert.ok(asksForHealth(service.checks[0].path));
  assert.ok(Number.parseInt(killTimeout, 10) > 8 + 2);
});

describe("the manifests of Kubernetes", async () => {
  const [deployment, service, budget, policy] = await yaml("examples/kubernetes/mayfly.yaml");
  const { template, selector } = deployment.spec;
  const [container] = template.spec.containers;

  test("confine the container, as the user of the image", async () => {
    const user = /^USER (\d+):(\d+)$/m.exec(await read("Dockerfile"));
    const { runAsNonRoot, runAsUser, runAsGroup } = template.spec.securityContext;
    assert.deepEqual([runAsNonRoot, runAsUser, runAsGroup], [true, Number(user?.[1]), Number(user?.[2])]);
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assert.equal(template.spec.automountServiceAccountToken, false);
  });

  test("name options, variables, paths and ports that there are", () => {
    assert.deepEqual(unknownOptions(container.args), []);
    assert.deepEqual(
      container.env.filter(({ name }: { name: string }) => !VARIABLES.has(name)),
      [],
    );
    for (const kind of ["startupProbe", "readinessProbe", "livenessProbe"]) {
      assert.ok(asksForHealth(container[kind].httpGet.path), kind);
      assert.equal(container[kind].httpGet.port, container.ports[0].name, kind);
    }
    assert.equal(container.ports[0].containerPort, 8000);
    assert.equal(service.spec.ports[0].targetPort, container.ports[0].name);
  });

  test("find the key where it is mounted", () => {
    const [{ value: file }] = container.env;
    const mount = container.volumeMounts.find(({ name }: { name: string }) => name === "auth-key");
    assert.ok(file.startsWith(`${mount.mountPath}/`));
  });

  test("leave time for what runs when a pod ends", () => {
    const finishing = numberAfter(container.args, "--shutdown-timeout") / 1000;
    const { seconds } = container.lifecycle.preStop.sleep;
    assert.ok(template.spec.terminationGracePeriodSeconds > finishing + seconds + 2);
  });

  test("all mean the same pods", () => {
    const labels = [
      service.spec.selector,
      budget.spec.selector.matchLabels,
      policy.spec.podSelector.matchLabels,
    ];
    for (const found of labels) assert.deepEqual(found, template.metadata.labels);
    assert.deepEqual(selector.matchLabels, template.metadata.labels);
  });
});

test("the template of Lambda lets callers in by the URL, and streams", async () => {
  const [{ Resources }] = await yaml("examples/lambda/template.yaml");
  const { Runtime, Handler, Environment } = Resources.Function.Properties;
  assert.deepEqual([Runtime, Handler], ["nodejs24.x", "index.handler"]);
  assert.deepEqual(
    Object.keys(Environment.Variables).filter((name) => !VARIABLES.has(name)),
    [],
  );
  assert.equal(Resources.Url.Properties.InvokeMode, "RESPONSE_STREAM");
  const actions = [Resources.UrlPermission, Resources.InvokePermission].map(
    ({ Properties }) => Properties.Action,
  );
  assert.deepEqual(actions, ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]);
});
