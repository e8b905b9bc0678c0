// Which worker a connection comes to, as entry points say it.

import type { Say } from "./subject.ts";

export const SELECTIONS = ["connection", "address"] as const;

/** `connection`: any. `address`: all of one address come to one. */
export type WorkerSelection = (typeof SELECTIONS)[number];

/** Of an entry point what matters here. */
interface Point {
  readonly name: string;
  readonly workerSelection: WorkerSelection;
  readonly proxyProtocol: object | null;
  readonly admin: boolean;
}

/** What steers other than it seems to. */
export function checkWorkerSelection(points: Iterable<Point>, warn: Say): void {
  for (const { name, workerSelection, proxyProtocol, admin } of points) {
    if (workerSelection !== "address") continue;
    const path = ["entryPoints", name, "workerSelection"];
    const field = path.join(".");
    if (admin) warn("field-ignored", path, `${field} is ignored: the entry point serves HTTP, from the master`);
    else if (proxyProtocol !== null)
      warn(
        "worker-selection",
        path,
        `${field} goes by the address that the kernel sees, which is the load balancer's: all connections of one come to one worker`,
      );
  }
}
