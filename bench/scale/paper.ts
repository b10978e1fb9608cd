import { table } from "../statistics.ts";

/** The part of a core that is planned for: the rest is for peaks, and for what else the machine does. */
const PLANNED = 0.6;
const CORES = 2;
const RATES = [10, 100, 1000, 5000];

/** cores = requests per second × CPU seconds per request ÷ the planned part */
function coresFor(rate: number, cpuMs: number): number {
  return (rate * cpuMs) / 1000 / PLANNED;
}

/** On paper: nothing is shared, so instances add up. */
export function paperTable(costs: ReadonlyMap<string, number>): string {
  const cells = (cpuMs: number): string[] => RATES.map((rate) => cell(coresFor(rate, cpuMs)));
  const rows = [...costs].map(([name, cpuMs]) => [name, cpuMs.toFixed(1)].concat(cells(cpuMs)));
  return table(["request", "CPU ms", ...RATES.map((rate) => `${rate}/s`)], rows);
}

function cell(cores: number): string {
  return `${cores.toFixed(1)} cores, ${Math.ceil(cores / CORES)} instances`;
}
