// The newer programs that scripts/install-peers has fetched, with their own libraries: nothing of them is installed on this machine.

import { join } from "node:path";
import type { Programs } from "./neighbours.ts";
import { ROOT } from "./sluice.ts";

const SID = join(ROOT, "node_modules/.peers/sid");

/** How the program at this path below /usr is started. */
export function peer(path: string): string[] {
  return [
    `${SID}/lib64/ld-linux-x86-64.so.2`,
    ...["--library-path", `${SID}/usr/lib/x86_64-linux-gnu`],
    `${SID}/usr/${path}`,
  ];
}

export const PEERS: Programs = {
  haproxy: peer("sbin/haproxy"),
  nginx: peer("sbin/nginx"),
  modules: `${SID}/usr/lib/nginx/modules`,
};
