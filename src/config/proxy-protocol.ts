// The PROXY protocol in the configuration: towards servers, and from load balancers.

import { z } from "zod";
import { formatNetwork, isLostIpv4, LOST_IPV4, parseAddress, parseNetwork } from "../ip/address.ts";
import { type EntryPointConfig, isLoopback } from "./entry-points.ts";
import { field, section } from "./field.ts";
import type { Say } from "./subject.ts";

const version = field(
  "`1` is one line with the addresses. `2` is binary, and can say more. Any other turns off what carries it.",
  z.number().int().default(2),
  { example: 1 },
);

/** On a transport, and in Traefik's old place, on a load balancer. */
export const proxyProtocolOut = section({
  version,
  tlvs: field(
    "What a header of version 2 says besides the addresses, each where it is known. `alpn`: the protocol agreed on, or the only one offered where TLS is passed through. `authority`: the server name. `ssl`: version and cipher suite of TLS, whether the client's certificate is verified, and its common name; only where Sluice terminates TLS. `uniqueId`: a number that the access log has too. `crc32c`: a checksum. With version 1 they turn the transport off.",
    z.array(z.enum(["alpn", "authority", "ssl", "uniqueId", "crc32c"])).default([]),
    { otherwise: "none", example: ["ssl", "authority"] },
  ),
});

/** On an entry point. */
export const proxyProtocolIn = z.object({
  trustedIPs: field(
    "The load balancers: addresses and networks in CIDR form. Required without `insecure`.",
    z.array(z.string().min(1)).default([]),
    { kind: "network", otherwise: "none", example: ["10.0.0.0/8", "2001:db8::/32"] },
  ),
  insecure: field(
    "Believe the header of everybody, who can then pretend to come from any address. For tests.",
    z.boolean().default(false),
    { example: true },
  ),
  required: field(
    "Close connections that come without a header, and all that come from elsewhere than `trustedIPs`.",
    z.boolean().default(false),
    { example: true, nothingIsWrong: true },
  ),
});

/** What is wrong with whom entry points believe, and what lets in more than is meant. `warn` is for the latter. */
export function checkProxyProtocol(points: Iterable<EntryPointConfig>, problem: Say, warn: Say): void {
  for (const point of points) {
    if (point.proxyProtocol === null) continue;
    const { trustedIPs, insecure } = point.proxyProtocol;
    const path = ["entryPoints", point.name, "proxyProtocol"];
    const field = path.join(".");
    if (point.admin) {
      warn("field-ignored", path, `${field} is ignored: the entry point serves HTTP, and reads no PROXY header`);
      continue;
    }
    if (trustedIPs.length === 0 && !insecure)
      problem("field-value", path, `${field} needs trustedIPs: nobody's header would be believed`);
    const isOpen = !isLoopback(point.host);
    if (insecure && isOpen)
      warn("proxy-header-open", [...path, "insecure"], `${field}.insecure believes everybody. ${PRETEND}`);
    if (insecure && trustedIPs.length > 0)
      warn("fields-conflict", [...path, "trustedIPs"], `${field}.trustedIPs says nothing beside insecure: true`);
    for (const [index, network] of trustedIPs.entries()) {
      const at = [...path, "trustedIPs", index];
      const shown = `${field}.trustedIPs has ${JSON.stringify(network.slice(0, 60))}`;
      const verdict = judgeNetwork(network);
      if (verdict === "none")
        problem("field-value", at, `${shown}, which is neither an IP address nor a network such as 10.0.0.0/8`);
      else if (verdict === "mapped") problem("field-value", at, `${shown}, which is ${LOST_IPV4}`);
      else if (verdict === "slip")
        problem("field-value", at, `${shown}, which is every address there is: write a longer prefix, or none`);
      else if (verdict === "everybody" && isOpen && !insecure)
        warn("proxy-header-open", at, `${shown}, which is everybody. ${PRETEND}`);
      else if (verdict !== "good" && verdict !== "everybody")
        warn("proxy-header-open", at, `${shown}, which is all of ${verdict.all}: write that, or the address alone`);
    }
  }
}

const PRETEND =
  "Whoever reaches the entry point can pretend to come from any address: name the load balancers in trustedIPs";

type NetworkVerdict = "good" | "none" | "everybody" | "mapped" | "slip" | { readonly all: string };

/** `mapped`: it holds no IPv4 address, and is written as if it did. `slip`: an address with a prefix of 0. `all`: the network that an address with a short prefix stands for. */
function judgeNetwork(text: string): NetworkVerdict {
  const network = parseNetwork(text);
  if (network === null) return "none";
  const address = parseAddress(text.split("/")[0]!)!;
  if (isLostIpv4(text)) return "mapped";
  const isExact = Buffer.compare(address, network.address) === 0;
  if (network.prefix === 0) return isExact ? "everybody" : "slip";
  return isExact ? "good" : { all: formatNetwork(network) };
}
