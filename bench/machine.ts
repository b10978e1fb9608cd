import { availableParallelism, cpus, loadavg, totalmem, type } from "node:os";

/** On which machine something was measured, in one line. */
export function machineFacts(): string {
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const load = loadavg()[0]?.toFixed(1);
  const facts = [
    `Node ${process.version}`,
    type(),
    `${availableParallelism()} cores`,
    cpus()[0]?.model,
    memory,
  ];
  return `${facts.join(", ")}; load ${load} at the start`;
}
