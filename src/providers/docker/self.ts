// Which container Sluice runs in, if any: to choose networks that both sides are in.

import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Listed } from "./container.ts";

/** The container of a list that Sluice runs in; null where it runs in none of them. */
export function findSelf(list: readonly Listed[]): Listed | null {
  const ids = new Set(ownIds());
  const name = hostname();
  // The first 12 digits of its id are a container's host name, unless it was given another one.
  const isId = /^[0-9a-f]{12,64}$/.test(name);
  return list.find(({ id }) => ids.has(id) || (isId && id.startsWith(name))) ?? null;
}

/** Whether this is a container at all, as engines mark it. */
export function isInContainer(): boolean {
  return existsSync("/.dockerenv") || existsSync("/run/.containerenv");
}

/** Engines mount files of their own, such as the host name, from a directory that is called after the container. */
function ownIds(): string[] {
  if (!isInContainer()) return [];
  try {
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    return [...mounts.matchAll(/containers\/([0-9a-f]{64})\//g)].map((match) => match[1]!);
  } catch {
    return [];
  }
}
