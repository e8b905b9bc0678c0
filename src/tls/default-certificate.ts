// The certificate that serves where nothing else does.

import { developmentAuthority, developmentServer, type Issued } from "../authority/development.ts";
import { DEFAULT_NAME } from "../tls/certificates.ts";

/** Made anew at each start, by an authority that nobody keeps. */
export async function issueDefaultCertificate(): Promise<Issued> {
  return developmentServer(await developmentAuthority("Sluice default certificate"), [DEFAULT_NAME]);
}
