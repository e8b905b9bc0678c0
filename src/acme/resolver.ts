// A certificate resolver, with all that it takes to obtain certificates by it.

import type { AcmeEndpoint } from "./client.ts";
import type { AcmeKeyType } from "./keys.ts";
import type { Responder } from "./obtain.ts";

export interface Resolver {
  readonly name: string;
  readonly endpoint: AcmeEndpoint;
  readonly email: string;
  readonly storage: string;
  /** null: the kind of the certificate that is renewed. */
  readonly keyType: AcmeKeyType | null;
  readonly profile: string | null;
  readonly preferredChain: string | null;
  readonly externalAccount: { readonly kid: string; readonly hmac: Buffer } | null;
  readonly responders: readonly Responder[];
}
