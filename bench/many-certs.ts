// Thousands of P-256 certificates, each with a key and a name of its own, signed by the run's authority. openssl would
// need a process for each; this makes some hundred a second.
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alternativeNames, commonName, writeCertificate } from "../src/certs/write.ts";
import { partsOf } from "../src/certs/x509.ts";

/** One of many; `both` is key and certificate in one file. */
export interface ManyCert {
  name: string;
  key: string;
  cert: string;
  both: string;
}

const made: ManyCert[] = [];

/** The first `count` certificates c0.certs.test, c1..., made when they are first wanted. `dir` holds ca.pem, ca.key. */
export function makeManyCerts(dir: string, count: number): readonly ManyCert[] {
  const out = join(dir, "many");
  mkdirSync(out, { recursive: true });
  const authority = new X509Certificate(readFileSync(join(dir, "ca.pem")));
  const issuer = {
    name: partsOf(authority.raw).subject!.whole,
    key: createPrivateKey(readFileSync(join(dir, "ca.key"))),
  };
  while (made.length < count) {
    const name = `c${made.length}.certs.test`;
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const certPem = writeCertificate(issuer, {
      subject: commonName(name),
      publicKey,
      notBefore: Date.now() - 60_000,
      notAfter: Date.now() + 2 * 86_400_000,
      extensions: [alternativeNames([name])],
    });
    const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const base = join(out, name);
    const paths = { name, key: `${base}.key`, cert: `${base}.pem`, both: `${base}.both` };
    writeFileSync(paths.key, keyPem);
    writeFileSync(paths.cert, certPem);
    writeFileSync(paths.both, keyPem + certPem);
    made.push(paths);
  }
  return made.slice(0, count);
}
