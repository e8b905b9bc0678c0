// The PROXY protocol in the configuration: towards servers, and from load balancers.

import { z } from "zod";
import { parseNetwork } from "../ip/address.ts";
import type { EntryPointConfig } from "./entry-points.ts";
import { field, section } from "./field.ts";
import type { Say } from "./subject.ts";

const version = field(
  "`1` is one line with the addresses. `2` is binary, and can say more. Any other turns off what carries it.",
  z.number().int().default(2),
  { example: 1 },
);

/** On a transport. */
export const proxyProtocolOut = section({
  version,
  tlvs: field(
    "What a header of version 2 says besides the addresses, each where it is known. `alpn`: the protocol agreed on, or the only one offered where TLS is passed through. `authority`: the server name. `ssl`: version and cipher suite of TLS, whether the client's certificate is verified, and its common name; only where Sluice terminates TLS. `uniqueId`: a number that the access log has too. `crc32c`: a checksum. With version 1 they turn the transport off.",
    z.array(z.enum(["alpn", "authority", "ssl", "uniqueId", "crc32c"])).default([]),
    { otherwise: "none", example: ["ssl", "authority"] },
  ),
});

/** On a load balancer, in Traefik's old place. */
export const proxyProtocolOfService = section({ version });

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
    "Close connections that come without a header, and those that come from elsewhere than `trustedIPs`.",
    z.boolean().default(false),
    { example: true },
  ),
});

/** Trusted addresses that are none, and headers that nobody's would be believed of. */
export function checkProxyProtocol(
  points: readonly Pick<EntryPointConfig, "name" | "proxyProtocol">[],
  problem: Say,
): void {
  for (const { name, proxyProtocol } of points) {
    if (proxyProtocol === null) continue;
    const { trustedIPs, insecure } = proxyProtocol;
    const path = ["entryPoints", name, "proxyProtocol"];
    if (trustedIPs.length === 0 && !insecure)
      problem("field-value", path, `${path.join(".")} needs trustedIPs: nobody's header would be believed`);
    for (const [index, network] of trustedIPs.entries())
      if (parseNetwork(network) === null)
        problem(
          "field-value",
          [...path, "trustedIPs", index],
          `${path.join(".")}.trustedIPs has ${JSON.stringify(network.slice(0, 60))}, which is neither an IP address nor a network such as 10.0.0.0/8`,
        );
  }
}
