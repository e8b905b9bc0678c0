// Whose PROXY headers an entry point believes.

import { IpAllowList } from "../middlewares/ip-allow-list.ts";
import type { ProxyProtocolSettings } from "../protocol/messages.ts";

export class ProxyProtocolIn {
  readonly isRequired: boolean;
  readonly #trusted: IpAllowList | null;

  constructor({ trustedIPs, insecure, required }: ProxyProtocolSettings) {
    this.isRequired = required;
    this.#trusted = insecure ? null : new IpAllowList(trustedIPs);
  }

  /** `address` is the one that is really connected. */
  trusts(address: string): boolean {
    return this.#trusted === null || this.#trusted.allows(address);
  }
}
