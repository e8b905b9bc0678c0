// What reading a CONNECT costs: `BUN_JSC_useFTLJIT=0 bun bench/connect.ts`, because workers run so. No process and no socket takes part.
// Microseconds of CPU per packet.

import { readConnect } from "../src/mqtt/connect.ts";
import { connectVectors, MAX_SIZE } from "../test/support/connect-vectors.ts";
import { cpuMs } from "../test/support/cpu.ts";
import { bytesOf } from "../test/support/recorded.ts";

const PACKETS = 100_000;
/** The best of many: what others do on the machine meanwhile only adds. */
const ROUNDS = 10;

for (const name of ["v4-all-fields", "v5-all-properties"]) {
  const vector = connectVectors.find((each) => each.name === name);
  if (vector === undefined) throw new Error(`there is no vector ${name}`);
  const bytes = bytesOf(vector);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const ms = cpuMs(() => {
      for (let done = 0; done < PACKETS; done++) readConnect(bytes, MAX_SIZE);
    });
    least = Math.min(least, ms);
  }
  console.log(`${name}: ${((least * 1000) / PACKETS).toFixed(2)} us`);
}
