// Breaks key stores of every kind, byte by byte and at random: each gives a reason, soon, and never a key with another one's
// certificate.

import { expect, test } from "bun:test";
import { random } from "../support/random.ts";
import { judge, type Verdict, victims } from "../unit/keystores/hostile.ts";

/** For each store. */
const RUN_MS = Number(process.env.SLUICE_FUZZ_MS ?? 3_000);
/** BouncyCastle's iterations, four times over, are 0.2 s; the rest is room for a busy machine. */
const SLOWEST_MS = 3_000;
const TIMEOUT_MS = 10 * 60_000;
const seed = Number(process.env.SLUICE_FUZZ_SEED ?? 20260801);
const INTERESTING = [0x00, 0x01, 0x02, 0x04, 0x06, 0x24, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xff];
const { stores } = await victims();

/** Judges, counts what came of it, and says how to repeat what failed. */
class Court {
  readonly seen: Record<string, number> = {};
  slowest = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  judge(bytes: Buffer, what: string): Verdict {
    try {
      const verdict = judge(bytes);
      const label = `${verdict.read}/${verdict.unchecked}${verdict.pair ? " pair" : ""}`;
      this.seen[label] = (this.seen[label] ?? 0) + 1;
      this.slowest = Math.max(this.slowest, verdict.ms);
      return verdict;
    } catch (error) {
      throw new Error(`${this.#name}, ${what}: ${bytes.toString("hex")}`, { cause: error });
    }
  }

  close(): void {
    console.log(`${this.#name}: slowest ${this.slowest.toFixed(0)} ms, ${JSON.stringify(this.seen)}`);
    expect(this.slowest).toBeLessThan(SLOWEST_MS);
  }
}

test.each(stores.map((store) => [store.name, store] as const))(
  "%s: every prefix is refused, and every changed byte gives a reason or a pair that fits",
  (name, { bytes, costMs }) => {
    const court = new Court(name);
    for (let length = 0; length < bytes.length; length++)
      expect(court.judge(bytes.subarray(0, length), `${length} bytes`)).not.toMatchObject({ read: "ok" });
    // One bit that makes a tag or length another one, and all bits; BouncyCastle's iterations allow for every twentieth byte only.
    const step = costMs === 200 ? 20 : 1;
    for (let at = 0; at < bytes.length; at += step)
      for (const flip of costMs === 1 ? [0x01, 0x20, 0x80, 0xff] : [0xff]) {
        const broken = Buffer.from(bytes);
        broken[at]! ^= flip;
        court.judge(broken, `byte ${at} ^ ${flip}`);
      }
    court.close();
  },
  TIMEOUT_MS,
);

test.each(stores.map((store) => [store.name, store] as const))(
  "%s: whatever is changed, moved, repeated or cut out, there is a reason or a pair that fits",
  (name, { bytes }) => {
    const dice = random(seed);
    const court = new Court(name);
    const end = performance.now() + RUN_MS;
    for (let round = 0; performance.now() < end; round++) {
      let broken: Buffer = Buffer.from(bytes);
      for (let change = dice.below(4); change >= 0; change--) {
        const at = dice.below(broken.length + 1);
        const kind = dice.below(5);
        if (kind < 2 && at < broken.length) broken[at] = dice.chance(0.5) ? dice.pick(INTERESTING) : dice.below(256);
        else if (kind === 2 && at + 4 <= broken.length)
          broken.writeUInt32BE(dice.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff]), at);
        else if (kind === 3) {
          const other = dice.pick(stores).bytes;
          const from = dice.below(other.length);
          const piece = other.subarray(from, from + dice.below(200));
          broken = Buffer.concat([broken.subarray(0, at), piece, broken.subarray(at)]);
        } else broken = Buffer.concat([broken.subarray(0, at), broken.subarray(at + dice.below(8))]);
      }
      court.judge(broken, `seed ${seed}, round ${round}`);
    }
    court.close();
  },
  TIMEOUT_MS,
);
