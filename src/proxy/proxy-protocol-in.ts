// Whose PROXY headers an entry point believes.

import { parseAddress, parseNetwork } from "../ip/address.ts";
import { NetworkSet } from "../ip/network-set.ts";
import type { ProxyProtocolSettings } from "../protocol/messages.ts";

export class ProxyProtocolIn {
  readonly isRequired: boolean;
  readonly #trusted: NetworkSet | null;

  constructor({ trustedIPs, insecure, required }: ProxyProtocolSettings) {
    this.isRequired = required;
    this.#trusted = insecure ? null : NetworkSet.of(trustedIPs.map(parseNetwork).filter((network) => network !== null));
  }

  /** `address` is the one that is really connected. */
  trusts(address: string): boolean {
    if (this.#trusted === null) return true;
    const bytes = parseAddress(address);
    return bytes !== null && this.#trusted.has(bytes);
  }
}
