// Collecting a hello from chunks: same answer however they fall, no copy in the usual case, bounded memory otherwise.
import { describe, expect, test } from "bun:test";
import { HelloBuffer, MAX_HELLO_BYTES, MAX_HELLO_MESSAGE, parseClientHello } from "../../../src/wire/client-hello.ts";
import { bytes, inRecords, messageOfSize, recordedHellos } from "../../fixtures/hello/hellos.ts";
import { random } from "../../support/random.ts";

test("a hello in one chunk is not copied", () => {
  for (const { bytes: wire } of recordedHellos()) {
    const buffer = new HelloBuffer();
    expect(buffer.push(wire)).toEqual(parseClientHello(wire));
    expect(buffer.bytes).toBe(wire);
  }
});

describe.each(recordedHellos())("$name", ({ bytes: wire }) => {
  test("in random chunks it reads the same and all bytes are there for a replay", () => {
    const dice = random(2);
    for (let round = 0; round < 50; round++) {
      const most = 1 + dice.below(wire.length);
      const buffer = new HelloBuffer();
      let result = buffer.push(new Uint8Array(0));
      for (let at = 0; at < wire.length; ) {
        expect(result.kind).toBe("more");
        const size = Math.min(wire.length - at, 1 + dice.below(most));
        // The receive buffer is reused under our feet: what has to wait must have been copied.
        const chunk = wire.slice(at, at + size);
        result = buffer.push(chunk);
        at += size;
        if (result.kind === "more") chunk.fill(0xff);
      }
      expect(result).toEqual(parseClientHello(wire));
      expect(buffer.bytes).toEqual(wire);
    }
  });
});

test("early data in the chunk that completes the hello, and after it, is kept for the replay", () => {
  const hello = inRecords(messageOfSize(MAX_HELLO_MESSAGE), [1000, 17_000, 33_000, 49_160]);
  const early = new Uint8Array(60_000).fill(5);
  const split = new HelloBuffer();
  expect(split.push(hello.subarray(0, 700)).kind).toBe("more");
  expect(split.push(bytes(hello.subarray(700), early)).kind).toBe("ok");
  expect(split.push(bytes("late")).kind).toBe("ok");
  expect(split.bytes).toEqual(bytes(hello, early, "late"));

  const whole = new HelloBuffer();
  const first = bytes(hello, early);
  whole.push(first);
  whole.push(bytes("late"));
  expect(whole.bytes).toEqual(bytes(first, "late"));
});

test("a byte at a time, the largest hello in the most records stays within the limit", () => {
  const handshake = messageOfSize(MAX_HELLO_MESSAGE);
  const wire = inRecords(
    handshake,
    Array.from({ length: 818 }, (_, index) => 80 * (index + 1)),
  );
  expect(wire.length).toBeLessThanOrEqual(MAX_HELLO_BYTES);
  const buffer = new HelloBuffer();
  let kind = "more";
  for (let at = 0; at < wire.length; at++) {
    expect(kind).toBe("more");
    kind = buffer.push(wire.subarray(at, at + 1)).kind;
  }
  expect(kind).toBe("ok");
});

test("an announced size reserves nothing", () => {
  const buffer = new HelloBuffer();
  buffer.push(inRecords(messageOfSize(MAX_HELLO_MESSAGE), [16_000, 32_000, 48_000, 64_000]).subarray(0, 10));
  expect(buffer.bytes.buffer.byteLength).toBeLessThanOrEqual(1024);
});

test("after bad nothing is kept and the verdict stays", () => {
  const buffer = new HelloBuffer();
  expect(buffer.push(bytes("GET / HTTP/1.1\r\n"))).toEqual({ kind: "bad", reason: "http", alert: null });
  expect(buffer.bytes.length).toBe(0);
  expect(buffer.push(recordedHellos()[0]!.bytes)).toEqual({ kind: "bad", reason: "http", alert: null });
  expect(buffer.bytes.length).toBe(0);
});

test("one byte at a time a reject is known no later than the parser alone would know it", () => {
  for (const wire of [
    bytes(22, 2),
    bytes(22, 3, 1, 0, 0),
    bytes(22, 3, 1, 1, 0, 2),
    bytes(22, 3, 1, 0, 9, 1, 1, 0, 0),
  ]) {
    const buffer = new HelloBuffer();
    for (let at = 0; at < wire.length; at++) {
      expect(buffer.push(wire.subarray(at, at + 1))).toEqual(parseClientHello(wire.subarray(0, at + 1)));
    }
    expect(buffer.push(bytes(0)).kind).toBe("bad");
  }
});
