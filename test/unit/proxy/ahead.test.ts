// What is held for a client costs about what it is counted for, however it comes, and is given back to the last byte.

import { expect, test } from "bun:test";
import { Deadlines } from "../../../src/net/deadlines.ts";
import { RelayPool } from "../../../src/net/relay.ts";
import type { NativeSocket } from "../../../src/net/socket.ts";
import { Turns } from "../../../src/net/turns.ts";
import { BytesAhead } from "../../../src/proxy/ahead.ts";

const socket = { pause() {} } as NativeSocket;

function holding(limit: number): { pool: RelayPool; ahead: BytesAhead } {
  const pool = new RelayPool(new Deadlines(), new Turns(), limit, limit);
  return { pool, ahead: new BytesAhead(pool, { finish() {} }) };
}

/** `total` bytes that are all different from their neighbours, in pieces whose lengths `next` gives. */
function pieces(total: number, next: (at: number) => number): Buffer[] {
  const bytes = Buffer.from(Array.from({ length: total }, (_, at) => (at * 31 + (at >> 8)) & 0xff));
  const made: Buffer[] = [];
  for (let at = 0; at < total; at += made.at(-1)!.length) made.push(Buffer.from(bytes.subarray(at, at + next(at))));
  return made;
}

test.each([
  ["single bytes", 30, () => 1],
  ["pieces of all lengths", 60, (at: number) => 1 + ((at * 7919) % 300)],
  ["pieces each shorter than the one before", 100, (at: number) => Math.max(1, 700 - Math.floor(at / 700))],
  ["whole records", 4, () => 16_384],
])("%s are held in few chunks, in their order", (_, most, next) => {
  const { pool, ahead } = holding(1 << 20);
  const sent = pieces(50_000, next);
  for (const piece of sent) ahead.hold(piece, socket);
  expect(ahead.chunks.length).toBeLessThanOrEqual(most);
  expect([ahead.heldBytes, pool.held]).toEqual([50_000, 50_000]);
  expect(Buffer.concat([...ahead.chunks]).equals(Buffer.concat(sent))).toBe(true);
  ahead.replace(10, Buffer.alloc(30));
  expect([ahead.heldBytes, pool.held]).toEqual([50_020, 50_020]);
  expect(ahead.take(Buffer.from("a")).length).toBe(50_021);
  ahead.release();
  expect(pool.held).toBe(0);
});

test("a CONNECT that is written longer than a limit allows ends the client, and nothing stays", () => {
  const { pool, ahead } = holding(100);
  ahead.hold(Buffer.alloc(90), socket);
  ahead.replace(20, Buffer.alloc(40));
  expect([ahead.heldBytes, pool.held, ahead.chunks.length, pool.cuts]).toEqual([0, 0, 0, 1]);
});
