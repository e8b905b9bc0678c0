// The files that client.keygen.sh and server.keygen.sh leave behind, under the same names, with the same passwords and aliases. What the
// scripts signed by itself is issued by the authority here, so a client's store has that in the place of the server's certificate.

import { X509Certificate } from "node:crypto";
import { basename } from "node:path";
import type { IssuedCertificate } from "../authority/authority.ts";
import type { DeliveredFile } from "../authority/delivery.ts";
import { keyText } from "../authority/keys.ts";
import { ownCertificates } from "../certs/pem.ts";
import type { NewEntry } from "../keystores/new-entry.ts";
import type { KeygenPlan } from "./plan.ts";

const CLIENT_ENDS = ["jks", "p12", "pem", "pk8.pem", "nopass.pem", "pub.pem"];
const SERVER_ENDS = ["jks", "p12", "pem", "pk8.pem", "pub.pem", "cer"];

/** Names of the files, without the folder. */
export function fileNames({ purpose, prefix }: KeygenPlan): string[] {
  return (purpose === "client" ? CLIENT_ENDS : SERVER_ENDS).map((end) => `${basename(prefix)}.${end}`);
}

/** `root` is whom servers and clients trust, in PEM; `issued` has its key. @throws CannotWrite */
export async function keygenFiles(plan: KeygenPlan, issued: IssuedCertificate, root: string): Promise<DeliveredFile[]> {
  const { writeJks } = await import("../keystores/write-java.ts");
  const { writePkcs12 } = await import("../keystores/write-pkcs12.ts");
  const { purpose, alias, serverAlias, storePassword, keyPassword } = plan;
  const key = issued.key!;
  const chain = issued.certificate + issued.chain;
  const own: NewEntry = { alias, key, certificates: ownCertificates(chain).map(({ raw }) => raw) };
  const trusted: NewEntry = { alias: serverAlias, key: null, certificates: [new X509Certificate(root).raw] };
  const plain = keyText(key, null);
  const contents: Readonly<Record<string, string | Uint8Array>> = {
    jks: writeJks(purpose === "client" ? [own, trusted] : [own], storePassword, keyPassword),
    p12: await writePkcs12([own], keyPassword),
    pem: keyText(key, keyPassword) + chain,
    "pk8.pem": plain,
    "nopass.pem": plain + chain,
    "pub.pem": chain,
    cer: new X509Certificate(issued.certificate).raw,
  };
  const ends = purpose === "client" ? CLIENT_ENDS : SERVER_ENDS;
  return ends.map((end, index) => ({
    name: fileNames(plan)[index]!,
    content: contents[end]!,
    isSecret: end !== "pub.pem" && end !== "cer",
  }));
}
