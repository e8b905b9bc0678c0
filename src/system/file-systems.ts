// File systems that send no events for what is changed elsewhere: on the server, or on the other side of a mount.

import { statfsSync } from "node:fs";

/** By the magic number that statfs(2) gives (linux/magic.h, and the drivers' own). */
const SILENT: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "SMB (CIFS)"],
  [0xfe534d42, "SMB"],
  // virtiofs, and what desktop container engines share directories by, are of this kind too.
  [0x65735546, "FUSE"],
  [0x01021997, "9P"],
  [0x786f4256, "a shared folder of VirtualBox"],
  [0xbacbacbc, "a shared folder of VMware"],
  [0x7c7c6673, "a shared folder of Parallels"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
]);

/** What kind of file system `path` is on, if it is one that may send no events; else, and where that is not known, null. */
export function silentFileSystem(path: string): string | null {
  try {
    // Some runtimes give the number with a sign.
    return SILENT.get(statfsSync(path).type >>> 0) ?? null;
  } catch {
    return null;
  }
}
