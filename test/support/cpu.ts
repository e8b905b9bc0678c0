// What work costs: CPU time, which a busy machine does not change as it does the time on the clock.

/** CPU milliseconds that this process spends on the work, garbage collection included. */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
