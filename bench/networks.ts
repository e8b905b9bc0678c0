// What looking an address up in a list of networks costs: `BUN_JSC_useFTLJIT=0 bun bench/networks.ts`, because workers run so. No process and
// no socket takes part. Nanoseconds per lookup with the text of the address read anew, as a middleware does it; and what a new list costs.

import { parseAddress } from "../src/ip/address.ts";
import { readNetworkFile } from "../src/ip/network-list.ts";
import { joinNetworks, splitNetworks } from "../src/ip/network-parts.ts";
import { NetworkSet } from "../src/ip/network-set.ts";

const LOOKUPS = 10_000;
/** The best of many short ones: what others do on the machine meanwhile only adds. */
const ROUNDS = 50;

const octet = () => (Math.random() * 256) | 0;
const v4 = () => `${octet()}.${octet()}.${octet()}.${octet()}`;
const group = () => ((Math.random() * 65_536) | 0).toString(16);
const v6 = () => `2001:db8:${group()}:${group()}::${group()}`;

function best(rounds: number, run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    run();
    least = Math.min(least, performance.now() - startedAt);
  }
  return least;
}

for (const size of [100, 10_000, 100_000]) {
  const text = Array.from({ length: size }, (_, n) => (n % 4 === 0 ? `${v6()}/64` : `${v4()}/${24 + (n % 9)}`)).join(
    "\n",
  );
  const read = readNetworkFile(text);
  if (read.kind === "bad") throw new Error(read.message);
  const { networks } = read;
  const { list, parts } = splitNetworks(NetworkSet.of(networks), size);
  const set = joinNetworks(list, (name) => parts.get(name) ?? null)!;
  const [four, six] = [v4, v6].map((make) => {
    const addresses = Array.from({ length: LOOKUPS }, make);
    let found = 0;
    const ms = best(ROUNDS, () => {
      for (const address of addresses) if (set.has(parseAddress(address)!)) found++;
    });
    const share = (found / (ROUNDS * LOOKUPS)) * 100;
    return `${((ms / LOOKUPS) * 1e6).toFixed(0)} ns (${share.toFixed(1)} % found)`;
  });
  const master = best(3, () => {
    const again = readNetworkFile(text);
    if (again.kind === "ok") splitNetworks(NetworkSet.of(again.networks), size);
  });
  const worker = best(5, () => joinNetworks(list, (name) => parts.get(name) ?? null));
  console.log(
    `${String(size).padStart(7)} networks: IPv4 ${four}, IPv6 ${six} a lookup; a new list: master ${master.toFixed(0)} ms, each worker ${worker.toFixed(1)} ms`,
  );
}
