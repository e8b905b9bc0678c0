// Thousands of P-256 certificates, each with a key and a name of its own, signed by the run's authority. openssl would
// need a process for each; this makes a few thousand per second.
import "reflect-metadata"; // @peculiar/x509 needs it before it is loaded
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

/** One of many; `both` is key and certificate in one file. */
export interface ManyCert {
  name: string;
  key: string;
  cert: string;
  both: string;
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const made: ManyCert[] = [];

/** The first `count` certificates c0.certs.test, c1..., made when they are first wanted. `dir` holds ca.pem, ca.key. */
export async function makeManyCerts(dir: string, count: number): Promise<readonly ManyCert[]> {
  const out = join(dir, "many");
  mkdirSync(out, { recursive: true });
  const authority = new x509.X509Certificate(readFileSync(join(dir, "ca.pem"), "utf8"));
  const pkcs8 = x509.PemConverter.decodeFirst(readFileSync(join(dir, "ca.key"), "utf8"));
  const signingKey = await crypto.subtle.importKey("pkcs8", pkcs8, P256, false, ["sign"]);
  while (made.length < count) {
    const name = `c${made.length}.certs.test`;
    const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: (made.length + 1).toString(16).padStart(8, "0"),
      subject: `CN=${name}`,
      issuer: authority.subject,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 2 * 86_400_000),
      signingKey,
      publicKey: keys.publicKey,
      signingAlgorithm: P256,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }])],
    });
    const pkcs8Key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
    const keyPem = `${x509.PemConverter.encode(pkcs8Key, "PRIVATE KEY")}\n`;
    const certPem = `${certificate.toString("pem")}\n`;
    const base = join(out, name);
    const paths = { name, key: `${base}.key`, cert: `${base}.pem`, both: `${base}.both` };
    writeFileSync(paths.key, keyPem);
    writeFileSync(paths.cert, certPem);
    writeFileSync(paths.both, keyPem + certPem);
    made.push(paths);
  }
  return made.slice(0, count);
}
