// Many networks: a set says of each address what looking at them one by one says, and comes out of its parts as it went in.

import { describe, expect, test } from "bun:test";
import { formatIp, type Network, networkHolds, parseAddress, parseNetwork } from "../../../src/ip/address.ts";
import { readNetworkFile } from "../../../src/ip/network-list.ts";
import { joinNetworks, splitNetworks } from "../../../src/ip/network-parts.ts";
import { NetworkSet } from "../../../src/ip/network-set.ts";

/** The same numbers at each run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

const set = (...networks: string[]) => NetworkSet.of(networks.map((each) => parseNetwork(each)!));
const has = (networks: NetworkSet, address: string) => networks.has(parseAddress(address)!);

test("the edges of a network are in it, and what is beside them is not", () => {
  const networks = set("10.0.0.0/8", "192.0.2.7", "2001:db8::/33", "fe80::1");
  const inside = [
    "10.0.0.0",
    "10.255.255.255",
    "192.0.2.7",
    "2001:db8::",
    "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1",
  ];
  const outside = [
    "9.255.255.255",
    "11.0.0.0",
    "192.0.2.6",
    "192.0.2.8",
    "2001:db7:ffff::",
    "2001:db8:8000::",
    "fe80::",
    "fe80::2",
  ];
  expect(inside.filter((address) => !has(networks, address))).toEqual([]);
  expect(outside.filter((address) => has(networks, address))).toEqual([]);
});

test("all of a family, and none of it", () => {
  expect(has(set("0.0.0.0/0"), "255.255.255.255")).toBe(true);
  expect(has(set("0.0.0.0/0"), "::1")).toBe(false);
  expect(has(set("::/0"), "ffff::")).toBe(true);
  expect(has(set("::/0"), "1.2.3.4")).toBe(false);
  expect(has(set(), "1.2.3.4")).toBe(false);
});

test.each([4, 16])("says of random addresses of %i bytes what each network says by itself", (length) => {
  const random = numbers(length);
  // Few values, so that networks overlap, hold each other and are the same.
  const address = () =>
    Uint8Array.from({ length }, (_, at) => (at % 4 === 0 || at > length - 3 ? (random() * 4) | 0 : 0));
  const networks: Network[] = Array.from(
    { length: 60 },
    () => parseNetwork(`${formatIp(address())}/${(random() * (length * 8 + 1)) | 0 || 1}`)!,
  ).filter(({ prefix }) => prefix > 5);
  const all = NetworkSet.of(networks);
  for (let n = 0; n < 5000; n++) {
    const bytes = address();
    const expected = networks.some((network) => networkHolds(network, bytes, 0, length));
    expect(`${formatIp(bytes)} ${all.has(bytes)}`).toBe(`${formatIp(bytes)} ${expected}`);
  }
  // In CIDR form again it is the same.
  const again = NetworkSet.of([...all.networks()].map((each) => parseNetwork(each)!));
  expect(again.v4.bounds).toEqual(all.v4.bounds);
  expect(again.v6.bounds).toEqual(all.v6.bounds);
});

test("100 000 networks go in parts of bounded size, and come out the same", () => {
  const random = numbers(1);
  const networks = Array.from({ length: 100_000 }, (_, n) =>
    n % 4 === 0
      ? { address: Uint8Array.from({ length: 16 }, (_, at) => (at < 8 ? random() * 256 : 0)), prefix: 64 }
      : { address: Uint8Array.from([random() * 256, random() * 256, random() * 256, 0]), prefix: 24 },
  );
  const whole = NetworkSet.of(networks);
  const { list, parts } = splitNetworks(whole, networks.length);
  expect(Math.max(...[...parts.values()].map(({ length }) => length))).toBeLessThan(50_000);
  const joined = joinNetworks(list, (name) => parts.get(name) ?? null)!;
  expect(joined.v4.bounds).toEqual(whole.v4.bounds);
  expect(joined.v6.bounds).toEqual(whole.v6.bounds);
  expect(networks.filter(({ address }) => !joined.has(address))).toEqual([]);
  expect(joinNetworks(list, () => null)).toBeNull();
});

describe("a file", () => {
  test("has one network a line; comments and blank lines do not count, and faults have their lines", () => {
    const read = readNetworkFile("# those\r\n10.0.0.0/8 # office\n\n  2001:db8::/32\n10.0.0.256\n::ffff:10.0.0.0/8\n");
    expect(read).toMatchObject({ kind: "ok", faultCount: 2 });
    if (read.kind !== "ok") throw new Error(read.message);
    expect(read.networks.length).toBe(2);
    expect(read.faults.map(({ line }) => line)).toEqual([5, 6]);
  });

  test("that is empty is no list, and one with a comment holds nobody", () => {
    expect(readNetworkFile(" \n").kind).toBe("bad");
    expect(readNetworkFile("# nobody\n")).toMatchObject({ kind: "ok", networks: [] });
  });

  test("a mark of byte order is no part of the first line", () =>
    expect(readNetworkFile("\uFEFF10.0.0.1\n")).toMatchObject({ faultCount: 0 }));
});
