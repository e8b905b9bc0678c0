// What is wrong with addresses and networks that a configuration lists.

import { isLostIpv4, LOST_IPV4, parseNetwork } from "../ip/address.ts";
import type { Path } from "./source.ts";
import type { Say } from "./subject.ts";

/** Says what is no network, or holds nobody. `path` is the list's. */
export function checkNetworks(path: Path, networks: readonly string[], problem: Say): void {
  for (const [index, network] of networks.entries()) {
    const shown = `${path.join(".")} has ${JSON.stringify(network.slice(0, 60))}`;
    if (parseNetwork(network) === null)
      problem(
        "field-value",
        [...path, index],
        `${shown}, which is neither an IP address nor a network such as 10.0.0.0/8`,
      );
    else if (isLostIpv4(network)) problem("field-value", [...path, index], `${shown}, which is ${LOST_IPV4}`);
  }
}
