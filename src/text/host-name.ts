// What cannot be the name of a host.

import { isIPv4 } from "node:net";

/**
 * Numbers with dots that are no IPv4 address, such as 256.1.1.1 and 1.2.3. No host has such a name, because the last label of a name is
 * not a number (RFC 3696, 2); the system's resolver would read 1.2.3 as the address 1.2.0.3.
 */
export function isNoHost(text: string): boolean {
  return /^\.*\d[\d.]*$/.test(text) && !isIPv4(text);
}
