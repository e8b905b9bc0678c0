// Fuzzes the ClientHello parser for a while with mutated real hellos: whatever comes, it answers, soon, and only with safe names.
import { expect, test } from "bun:test";
import { HelloBuffer, parseClientHello } from "../../src/wire/client-hello.ts";
import { bytes, inRecords, messageOf, recordedHellos } from "../fixtures/hello/hellos.ts";
import { type Random, random } from "../support/random.ts";

const RUN_MS = Number(process.env.SLUICE_FUZZ_MS ?? 20_000);
/** A single parse takes tens of microseconds; the rest is room for a garbage collection on a busy machine. */
const SLOWEST_MS = 250;
const seed = Number(process.env.SLUICE_FUZZ_SEED ?? 20260801);

const SAFE_NAME = /^[a-z0-9_.:-]{1,255}$/;
const SAFE_PROTOCOL = /^[\x21-\x7e]+$/;
const INTERESTING = [0, 1, 2, 3, 4, 5, 0x0a, 0x10, 0x16, 0x17, 0x20, 0x2e, 0x3f, 0x40, 0x41, 0x7f, 0x80, 0xfe, 0xff];
const hellos = recordedHellos().map((hello) => hello.bytes);

function mutate(dice: Random, wire: Uint8Array): Uint8Array {
  let out = Uint8Array.from(wire);
  for (let change = dice.below(6); change >= 0; change--) {
    const at = dice.below(out.length + 1);
    // Half of the changes go to the start, where the lengths are.
    const near = dice.chance(0.5) ? dice.below(Math.min(out.length, 120) || 1) : at;
    const kind = dice.below(6);
    if (kind < 3 && out.length > 0)
      out[Math.min(near, out.length - 1)] = dice.chance(0.7) ? dice.pick(INTERESTING) : dice.below(256);
    else if (kind === 3) out = out.slice(0, at);
    else if (kind === 4) {
      const other = dice.pick(hellos);
      const from = dice.below(other.length);
      out = Uint8Array.from(
        bytes(out.subarray(0, near), other.subarray(from, from + dice.below(80)), out.subarray(near)),
      );
    } else out = Uint8Array.from(bytes(out.subarray(0, near), out.subarray(near + dice.below(8))));
  }
  return out;
}

/** Mutates inside the message and packs it anew, so that the record layer is right and the deeper code is reached. */
function repack(dice: Random, wire: Uint8Array): Uint8Array {
  const handshake = Uint8Array.from(mutate(dice, messageOf(wire)));
  if (handshake.length < 8) return handshake;
  const body = handshake.length - 4;
  handshake.set([1, body >> 16, (body >> 8) & 0xff, body & 0xff]);
  const cuts = new Set(Array.from({ length: dice.below(4) }, () => 1 + dice.below(handshake.length - 1)));
  return inRecords(
    handshake,
    [...cuts].sort((a, b) => a - b),
  );
}

test(
  "a mutated hello never throws, never takes long and never yields an unsafe name",
  () => {
    const dice = random(seed);
    const seen: Record<string, number> = {};
    let slowest = 0;
    const end = performance.now() + RUN_MS;
    for (let round = 0; performance.now() < end; round++) {
      const wire = (dice.chance(0.5) ? mutate : repack)(dice, dice.pick(hellos));
      const started = performance.now();
      const result = parseClientHello(wire);
      slowest = Math.max(slowest, performance.now() - started);
      const label = result.kind === "bad" ? result.reason : result.kind;
      seen[label] = (seen[label] ?? 0) + 1;

      const where = `seed ${seed}, round ${round}: ${Buffer.from(wire).toString("hex")}`;
      if (result.kind === "ok" && (!SAFE_NAME.test(result.sni) || result.sni.endsWith("."))) throw new Error(where);
      if (result.kind === "ok" || result.kind === "none") {
        if (!result.alpn.every((name) => SAFE_PROTOCOL.test(name))) throw new Error(where);
      }
      if (result.kind === "more" && result.need <= wire.length) throw new Error(where);

      // In two chunks the answer is the same one, or was a final one already.
      const cut = dice.below(wire.length + 1);
      const buffer = new HelloBuffer();
      const first = buffer.push(wire.subarray(0, cut));
      const second = first.kind === "more" ? buffer.push(wire.subarray(cut)) : first;
      if (wire.length > 0 && !Bun.deepEquals(second, result)) throw new Error(where);
    }
    console.log(`slowest ${slowest.toFixed(2)} ms, ${JSON.stringify(seen)}`);
    expect(slowest).toBeLessThan(SLOWEST_MS);
    for (const label of ["ok", "none", "more", "not-tls", "bad-hello", "hello-too-large"])
      expect(seen[label]).toBeGreaterThan(0);
  },
  RUN_MS + 30_000,
);
