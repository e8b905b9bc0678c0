// Whether an address is one of this machine.

import { expect, test } from "bun:test";
import { isLocalAddress } from "../../../src/compile/local-addresses.ts";

const mac = "00:00:00:00:00:00";
const interfaces = {
  lo: [
    { address: "127.0.0.1", netmask: "255.0.0.0", family: "IPv4", mac, internal: true, cidr: "127.0.0.1/8" } as const,
    { address: "::1", netmask: "", family: "IPv6", mac, internal: true, cidr: "::1/128", scopeid: 0 } as const,
  ],
  eth0: [
    { address: "10.0.0.5", netmask: "", family: "IPv4", mac, internal: false, cidr: "10.0.0.5/24" } as const,
    { address: "2001:db8::5", netmask: "", family: "IPv6", mac, internal: false, cidr: null, scopeid: 0 } as const,
  ],
};

test("loopback's whole network is this machine's, and of other interfaces the address alone, however it is written", () => {
  const local = ["127.0.0.1", "127.9.9.9", "::1", "10.0.0.5", "2001:db8:0:0::5"];
  const others = ["10.0.0.6", "128.0.0.1", "2001:db8::6", "::2", "eth0", ""];
  expect(local.filter((each) => isLocalAddress(each, interfaces))).toEqual(local);
  expect(others.filter((each) => isLocalAddress(each, interfaces))).toEqual([]);
});
