// The CPU time of a process tree as the scheduler counts it.
//
// For each process: the POSIX CPU clock of its thread group (clock_gettime on the clock id made of its pid). It is the
// same sum_exec_runtime, in nanoseconds, that /proc/PID/task/*/schedstat shows in its first field, but it also holds
// the threads that have ended, which schedstat loses with their directory and which matter for stunnel (a thread per
// connection). For children that have ended and were waited for: cutime + cstime of /proc/PID/stat (10 ms steps, and
// the same clock: a child's time moves there when it is reaped). Wall time and idle waiting are in neither.
import { dlopen, ptr } from "bun:ffi";
import { readFileSync } from "node:fs";
import { processTree, statFields } from "./proc.ts";

const libc = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
const timespec = new BigInt64Array(2);

/** One tick of /proc/PID/stat in µs: USER_HZ is 100 on every Linux that Bun runs on. */
const TICK_US = 10_000;

/** CPU time used so far by `pid` and everything below it, in µs. */
export function cpuOfTree(pid: number): number {
  let total = 0;
  for (const member of processTree(pid)) total += cpuOfProcess(member);
  return total;
}

/** CPU time of this process alone, in µs: its tree is the whole bench. */
export function ownCpu(): number {
  return groupClock(process.pid);
}

/** What all processors have spent on anything but idling, in µs, time stolen by other virtual machines included. */
export function cpuOfMachine(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) * TICK_US;
}

function cpuOfProcess(pid: number): number {
  try {
    // Fields 16 and 17 of stat, counted from 1.
    const fields = statFields(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return groupClock(pid) + (Number(fields[15]) + Number(fields[16])) * TICK_US;
  } catch {
    return 0; // it ended between the listing and now; its parent's stat has its time
  }
}

/** The thread group's clock in µs. CPUCLOCK_SCHED is 2; the kernel's clock ids hold the pid inverted. */
function groupClock(pid: number): number {
  if (libc.symbols.clock_gettime((~pid << 3) | 2, ptr(timespec)) !== 0) throw new Error(`no CPU clock for ${pid}`);
  return Number(timespec[0]!) * 1e6 + Number(timespec[1]!) / 1e3;
}
