/** Milliseconds of the processor that it takes. The time on the clock grows with what else a busy machine has to do. */
export async function effortOf(run: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
