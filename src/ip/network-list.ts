// A file of networks, one a line: text in, networks and faulty lines out.

import { isLostIpv4, LOST_IPV4, type Network, parseNetwork } from "./address.ts";

/** Networks of a file. */
export const MAX_NETWORKS = 500_000;
/** Faulty lines that are told apart; of the others only the number is known. */
const MAX_FAULTS = 100;

export interface NetworkFault {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export type NetworkFileRead =
  | {
      readonly kind: "ok";
      readonly networks: readonly Network[];
      readonly faults: readonly NetworkFault[];
      /** All of them, those beyond the first hundred too. */
      readonly faultCount: number;
    }
  | { readonly kind: "bad"; readonly message: string };

/** Reads a whole file. What stands behind a `#` is a comment. A file without a word in it is no list: it may be half written. */
export function readNetworkFile(text: string): NetworkFileRead {
  if (text.trim() === "")
    return { kind: "bad", message: "it is empty: a list that is to hold nobody has a line with a comment" };
  const networks: Network[] = [];
  const faults: NetworkFault[] = [];
  let faultCount = 0;
  let line = 0;
  for (const content of text.replace(/^\uFEFF/, "").split(/\r?\n/)) {
    line++;
    const comment = content.indexOf("#");
    const written = (comment < 0 ? content : content.slice(0, comment)).trim();
    if (written === "") continue;
    const problem = problemOf(written);
    if (typeof problem !== "string") {
      if (networks.length === MAX_NETWORKS)
        return { kind: "bad", message: `it has more than ${MAX_NETWORKS} networks` };
      networks.push(problem);
    } else if (++faultCount <= MAX_FAULTS) faults.push({ line, message: problem });
  }
  return { kind: "ok", networks, faults, faultCount };
}

/** The network, or what is wrong with it in words. */
export function problemOf(text: string): Network | string {
  const network = parseNetwork(text);
  const what = JSON.stringify(text.slice(0, 60));
  if (network === null) return `${what} is neither an IP address nor a network such as 10.0.0.0/8`;
  return isLostIpv4(text) ? `${what} is ${LOST_IPV4}` : network;
}
