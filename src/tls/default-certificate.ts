// The certificate that serves where nothing else does.

import { createAuthority, type Issued, issueServer } from "../certs/authority.ts";
import { DEFAULT_NAME } from "../tls/certificates.ts";

/** Made anew at each start, by an authority that nobody keeps. */
export async function issueDefaultCertificate(): Promise<Issued> {
  return issueServer(await createAuthority("Sluice default certificate"), [DEFAULT_NAME]);
}
