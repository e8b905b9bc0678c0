// What the API shows of drains, providers and processes.

import type { DrainLook, ProcessLook, ProviderLook } from "../api/sources.ts";
import type { Provider } from "../providers/provider.ts";
import { readProcess } from "../system/processes.ts";
import type { DrainState } from "./drains.ts";

export function drainLook({ about, reason, policy, left }: DrainState): DrainLook {
  return { service: "", server: "", router: "", ...about, reason, policy, left };
}

export function providerLook(provider: Provider): ProviderLook {
  const { fresh, diagnostics, remote } = provider.current();
  const state = provider.state?.();
  const isAway = remote?.isAway === true || state?.isUp === false;
  return {
    name: provider.name,
    state: isAway ? "away" : fresh ? "up" : "refused",
    lastSuccess: state === undefined || state.lastSuccess === 0 ? null : state.lastSuccess,
    diagnostics: diagnostics.list,
  };
}

export function processLook(role: string, pid: number): ProcessLook {
  const figures = readProcess(pid);
  return {
    role,
    pid,
    memory: figures?.residentBytes ?? null,
    cpuSeconds: figures?.cpuSeconds ?? null,
    descriptors: figures?.openFds ?? null,
  };
}
