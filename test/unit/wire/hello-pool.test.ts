// What unfinished hellos hold together is bounded, and a few large ones do not keep the small ones out.
import { expect, test } from "bun:test";
import { HelloBuffer, MAX_HELLO_MESSAGE } from "../../../src/wire/client-hello.ts";
import { HelloPool, type HelloWaiter } from "../../../src/wire/hello-pool.ts";
import { inRecords, messageOfSize, recordedHellos } from "../../fixtures/hello/hellos.ts";

class Waiter implements HelloWaiter {
  cut = false;
  onHelloCut(): void {
    this.cut = true;
  }
}

test("over the limit the largest is cut, and what it held is free", () => {
  const pool = new HelloPool(100);
  const [small, large, late] = [new Waiter(), new Waiter(), new Waiter()];
  pool.hold(small, 20);
  pool.hold(large, 40);
  pool.hold(large, 80);
  expect(pool.held).toBe(100);
  pool.hold(late, 20);
  expect([small.cut, large.cut, late.cut]).toEqual([false, true, false]);
  expect([pool.held, pool.cuts]).toEqual([40, 1]);
  pool.release(small);
  pool.release(small);
  pool.release(large);
  expect(pool.held).toBe(20);
});

test("one that is larger than the whole limit is cut itself", () => {
  const pool = new HelloPool(100);
  const waiter = new Waiter();
  pool.hold(waiter, 101);
  expect([waiter.cut, pool.held, pool.cuts]).toEqual([true, 0, 1]);
});

test("what a buffer holds is what it has allocated, and nothing when the first chunk had it all", () => {
  const whole = new HelloBuffer();
  whole.push(recordedHellos()[0]!.bytes);
  expect(whole.held).toBe(0);

  const wire = inRecords(messageOfSize(MAX_HELLO_MESSAGE), [16_000, 32_000, 48_000, 64_000]);
  const split = new HelloBuffer();
  split.push(wire.subarray(0, 100));
  expect(split.held).toBe(1024);
  split.push(wire.subarray(100, 40_000));
  expect(split.held).toBe(65_536);
  expect(split.held).toBe(split.bytes.buffer.byteLength);

  const bad = new HelloBuffer();
  bad.push(Buffer.from("P"));
  bad.push(Buffer.from("OST / HTTP/1.1"));
  expect(bad.held).toBe(0);
});
