// Whose PROXY headers an entry point believes.

import { NetworkSet } from "../ip/network-set.ts";
import type { ProxyProtocolSettings } from "../protocol/messages.ts";

export class ProxyProtocolIn {
  readonly isRequired: boolean;
  readonly #trusted: NetworkSet | null;

  constructor({ trustedIPs, insecure, required }: ProxyProtocolSettings) {
    this.isRequired = required;
    this.#trusted = insecure ? null : NetworkSet.read(trustedIPs);
  }

  /** `address` is the one that is really connected. */
  trusts(address: string): boolean {
    return this.#trusted === null || this.#trusted.holds(address);
  }
}
