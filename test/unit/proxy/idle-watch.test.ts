// Which clients count as silent, and when. The clock is the test's.

import { expect, test } from "bun:test";
import type { Deadlines, Timed } from "../../../src/net/deadlines.ts";
import type { Relay } from "../../../src/net/relay.ts";
import type { SocketOwner } from "../../../src/net/socket.ts";
import { watchIdle } from "../../../src/proxy/idle-watch.ts";

/** Keep alive 4 has a limit of 7 seconds; for 0 it is 61. */
function watched(keepAlive = 4) {
  let now = 0;
  let due = Number.POSITIVE_INFINITY;
  const closed: string[] = [];
  const client = { received: 0, paused: false, isPaced: false };
  const server = { socket: { data: { onData: () => {} } as unknown as SocketOwner } };
  const relay = { client, server, close: (reason: string) => void closed.push(reason) } as unknown as Relay;
  let timed: Timed | null = null;
  const deadlines = {
    set: (each: Timed, ms: number) => {
      timed = each;
      due = now + ms;
    },
    clear: () => {
      due = Number.POSITIVE_INFINITY;
    },
  } as unknown as Deadlines;
  const lease = watchIdle(relay, deadlines, { version: "5", keepAlive }, 60_000, () => now);
  /** Milliseconds, in which the timer does its work, a little late each time. */
  const pass = (ms: number) => {
    const end = now + ms;
    while (due + 100 <= end) {
      now = due + 100;
      due = Number.POSITIVE_INFINITY;
      timed!.onDeadline();
    }
    now = end;
  };
  /** The worker does nothing for so long, and then meets its deadlines before it reads. */
  const stand = (ms: number) => {
    now += ms;
    if (due <= now) timed!.onDeadline();
  };
  const answer = (connack: string) => server.socket.data.onData(Buffer.from(connack, "hex"));
  return { client, lease, closed, pass, stand, answer, isSet: () => due < Number.POSITIVE_INFINITY };
}

test("a client is closed when it has been silent for the limit, not before, and soon after", () => {
  const { closed, pass } = watched();
  pass(6999);
  expect(closed).toEqual([]);
  pass(1200);
  expect(closed).toEqual(["keep-alive-timeout"]);
});

test("one that is not read because it sends too fast is not silent", () => {
  const { client, closed, pass } = watched();
  client.isPaced = true;
  pass(60_000);
  expect(closed).toEqual([]);
  client.isPaced = false;
  pass(9000);
  expect(closed).toEqual(["keep-alive-timeout"]);
});

test("one that sends a byte within the limit stays, and so does one that is not read", () => {
  const { client, closed, pass } = watched();
  for (let round = 0; round < 10; round++) {
    client.received++;
    pass(6000);
  }
  client.paused = true;
  pass(100_000);
  expect(closed).toEqual([]);
  client.paused = false;
  pass(20_000);
  expect(closed).toEqual(["keep-alive-timeout"]);
});

test("the time that the worker has stood still is not the client's silence", () => {
  const { client, closed, pass, stand } = watched();
  pass(5000);
  stand(60_000);
  expect(closed).toEqual([]);
  client.received += 2; // it has pinged meanwhile
  pass(6000);
  expect(closed).toEqual([]);
  stand(60_000);
  pass(20_000);
  expect(closed).toEqual(["keep-alive-timeout"]);
});

test("who says no keep alive has the limit for that, unless the broker says another one", () => {
  const zero = watched(0);
  zero.pass(60_000);
  expect(zero.closed).toEqual([]);
  zero.pass(10_000);
  expect(zero.closed).toEqual(["keep-alive-timeout"]);
  const overruled = watched(0);
  // CONNACK with Server Keep Alive 1: 2.5 seconds.
  overruled.answer("2006000003130001");
  overruled.pass(3500);
  expect(overruled.closed).toEqual(["keep-alive-timeout"]);
});

test("who has gone is watched no more", () => {
  const { lease, isSet } = watched();
  expect(isSet()).toBe(true);
  lease.release();
  expect(isSet()).toBe(false);
});
