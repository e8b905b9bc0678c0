// Where a worker hangs, in words, as far as the system tells.

import type { Standing } from "../system/processes.ts";

/** By the state of its thread in the kernel (proc(5)). */
const WORDS: Readonly<Record<string, string>> = {
  R: "it computes without end",
  S: "it waits for something that does not come",
  D: "it waits in the kernel, for a disk or a file system that does not answer: it cannot be killed before that does",
  T: "it was stopped by a signal, SIGSTOP or SIGTSTP",
  t: "a debugger has stopped it, so it is not killed",
  Z: "it has ended",
};

/** Fields for the log. `null`: nothing is known of it. */
export function hangOf(standing: Standing | null): { readonly where: string; readonly kernel?: string } {
  if (standing === null) return { where: "not known" };
  const { state, kernel } = standing;
  return {
    where: WORDS[state] ?? `its state is ${state}`,
    ...(kernel.length > 0 && { kernel: kernel.join(" < ") }),
  };
}
