import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ServerConfig } from "../../lib/index.ts";
import { startServing } from "../support/command.ts";
import type { ServingCommand } from "../support/command.ts";
import { temporaryFolder } from "../support/files.ts";
import type { Scope } from "../support/files.ts";
import { waitUntilGone } from "../support/processes.ts";
import type { Balancer } from "./balancers.ts";

export interface FleetOptions {
  readonly balancer: Balancer;
  readonly instances: number;
  readonly mcpServers: Readonly<Record<string, ServerConfig>>;
  /** Stands in the arguments of all servers. */
  readonly token: string;
  /** More of the command line of each instance. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Instance extends ServingCommand {
  /** As the balancer names it. */
  readonly address: string;
}

/** Several `mayfly` commands with the same configuration, and a balancer in front of them. */
export interface Fleet {
  /** Of the balancer, without a path. */
  readonly url: string;
  readonly instances: readonly Instance[];
  readonly instanceAt: (address: string) => Instance;
  /** Takes all others out of the balancer. */
  readonly sendOnlyTo: (instances: readonly Instance[]) => Promise<void>;
  /** Another command at the address of one that has ended. */
  readonly restart: (instance: Instance) => Promise<Instance>;
  /** The requests that each has in its log, in the order of the instances. */
  readonly logged: () => readonly number[];
}

/** All of it ends with the scope, and then no process may be left. */
export async function startFleet(scope: Scope, options: FleetOptions): Promise<Fleet> {
  const { balancer, mcpServers, token, args = [], env = {} } = options;
  scope.after(() => waitUntilGone(token));
  const config = join(await temporaryFolder(scope), "servers.json");
  await writeFile(config, JSON.stringify({ mcpServers }));
  const start = async (port?: number): Promise<Instance> => {
    const at = port === undefined ? {} : { port };
    const command = await startServing(scope, ["--config", config, ...args], { env, ...at });
    return { ...command, address: new URL(command.url).host };
  };
  const instances = await Promise.all(Array.from({ length: options.instances }, () => start()));
  // Each asks its first server for an example when it starts.
  for (const { example } of instances) await example();
  const { url, sendOnlyTo } = await balancer.start(scope, addressesOf(instances));
  return {
    url,
    sendOnlyTo: (some) => sendOnlyTo(addressesOf(some)),
    instances,
    instanceAt: (address) => found(instances, address),
    restart: ({ url: before }) => start(Number(new URL(before).port)),
    logged: () => instances.map(requestsIn),
  };
}

function addressesOf(instances: readonly Instance[]): readonly string[] {
  return instances.map(({ address }) => address);
}

function found(instances: readonly Instance[], address: string): Instance {
  const instance = instances.find((one) => one.address === address);
  if (!instance) throw new Error(`no instance is at ${address}`);
  return instance;
}

function requestsIn({ stderr }: Instance): number {
  return stderr()
    .split("\n")
    .filter((line) => line.endsWith('"msg":"request"}')).length;
}
