// One-way transfers: everything up (the backend checks it and signs for it) or everything down (we check it).
import { BULK_PACKET, bulkPublish, sinkReceipt } from "../mqtt.ts";
import { Conn } from "./conn.ts";
import { emptyResult, type Job, type JobResult } from "./jobs.ts";

/** Moves `bytes`, rounded down to whole packets, over one connection; the clock starts at the CONNACK. */
export async function bulk(job: Extract<Job, { kind: "bulk" }>): Promise<JobResult> {
  const packets = Math.floor(job.bytes / BULK_PACKET);
  const bytes = packets * BULK_PACKET;
  const conn = new Conn(job.target, `${job.direction === "up" ? "sink" : "source"}:${bytes}`);
  let start = 0;
  await new Promise<void>((resolve, reject) => {
    conn.onFail = (reason) => reject(new Error(reason));
    conn.onReady = () => {
      start = performance.now();
      if (job.direction === "up") pour(conn, packets, bytes, resolve);
      else swallow(conn, packets, resolve);
    };
    conn.dial();
  });
  const seconds = (performance.now() - start) / 1000;
  const negotiated = conn.negotiated();
  await new Promise<void>((resolve) => {
    conn.onClose = resolve;
    conn.leave();
  });
  return { ...emptyResult(), count: packets, bytes, seconds, negotiated };
}

function pour(conn: Conn, packets: number, bytes: number, done: () => void): void {
  const packet = bulkPublish();
  let sent = 0;
  const more = (): void => {
    while (sent < packets && conn.send(packet.numbered(sent++)));
  };
  conn.expect = sinkReceipt(bytes);
  conn.onPacket = () => {
    conn.expect = null;
    done();
  };
  conn.onDrain = more;
  more();
}

function swallow(conn: Conn, packets: number, done: () => void): void {
  const packet = bulkPublish();
  let received = 0;
  conn.expect = packet.numbered(0);
  conn.onPacket = () => {
    conn.expect = ++received < packets ? packet.numbered(received) : null;
    if (received === packets) done();
  };
}
