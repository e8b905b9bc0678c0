// Who listens on a TCP port of this machine (proc(5)), for the message that says why Sluice cannot.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { ROLE_VARIABLE } from "./spawn.ts";

export interface Holder {
  readonly pid: number;
  /** Its name, as `ps` shows it. */
  readonly command: string;
  /** A worker of a Sluice whose master is gone. */
  readonly isOrphan: boolean;
}

/** The state LISTEN in /proc/net/tcp. */
const LISTEN = "0A";

/** null when nobody is found: it may be another user's, or the system has no /proc. */
export function whoListens(port: number): Holder | null {
  const inodes = new Set([...inodesOf("tcp", port), ...inodesOf("tcp6", port)]);
  if (inodes.size === 0) return null;
  const holders = pids().filter((pid) => pid !== process.pid && holdsOne(pid, inodes));
  const found = holders.map((pid) => ({ pid, command: read(`/proc/${pid}/comm`).trim(), isOrphan: isOrphan(pid) }));
  return found.find(({ isOrphan }) => isOrphan) ?? found[0] ?? null;
}

function inodesOf(table: "tcp" | "tcp6", port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return read(`/proc/net/${table}`)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(wanted) && fields[3] === LISTEN)
    .map((fields) => fields[9]!);
}

function pids(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function holdsOne(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    return false; // gone, or not ours to look into
  }
}

/** A worker is a child of its master, which runs the same program. */
function isOrphan(pid: number): boolean {
  if (!read(`/proc/${pid}/environ`).split("\0").includes(`${ROLE_VARIABLE}=worker`)) return false;
  const parent = /^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return link(`/proc/${parent}/exe`) !== link(`/proc/${pid}/exe`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
