// Where the certificate for development lies.

import { join } from "node:path";

/** The files of a development certificate in its directory. */
export function developmentFiles(directory: string) {
  const file = (name: string) => join(directory, name);
  return { caCert: file("ca.crt"), caKey: file("ca.key"), cert: file("localhost.crt"), key: file("localhost.key") };
}
