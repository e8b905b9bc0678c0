// The folder of a device, ready to be written.

import { X509Certificate } from "node:crypto";
import type { Authority, IssuedCertificate } from "../authority/authority.ts";
import type { DeliveredFile, KeyForm } from "../authority/delivery.ts";
import { readPem } from "../certs/pem-blocks.ts";
import type { Device, Outfit } from "./device.ts";
import { manifestText } from "./manifest.ts";
import { newPassword } from "./password.ts";
import { readme } from "./readme.ts";
import { hasStores, MANIFEST, type Material, PASSWORD, README, type Role, rolesOf } from "./roles.ts";

export interface FolderPlan {
  readonly name: string;
  readonly outfit: Outfit;
  readonly form: KeyForm;
  /** Of the stores: chosen by who runs the command, or kept in a file of the folder; without either, one is made. */
  readonly password: { readonly from: "operator" | "file"; readonly value: string } | null;
  /** Of a folder that is renewed: the files that stay as they are, and whether `client.key` is one that is encrypted. */
  readonly kept?: readonly string[];
  readonly isKeyEncrypted?: boolean;
}

/** The names of all its files. */
export function namesOf(outfit: Outfit, hasIntermediate: boolean): string[] {
  return [...rolesOf(outfit, hasIntermediate).map(({ name }) => name), PASSWORD, README, MANIFEST];
}

/** Its files; the one that says that the folder is whole comes last. Stores are left out where the key is not known. @throws CannotWrite */
export async function folderFiles(
  authority: Authority,
  { certificate, chain, key, serial, notAfter }: IssuedCertificate,
  { name, outfit, form, password: given, kept = [], isKeyEncrypted = form.password !== null }: FolderPlan,
): Promise<DeliveredFile[]> {
  const withStores = hasStores(outfit);
  const hasPasswordFile = withStores && given?.from !== "operator";
  const password = withStores ? (given?.value ?? newPassword()) : null;
  const device: Device = {
    ...{ ...outfit, name, serial, notAfter, hasPasswordFile, isKeyEncrypted },
  };
  const material: Material = {
    ...{ key, form, password, root: authority.facts.root.raw },
    certificates: readPem(certificate + chain).blocks.map(({ pem }) => new X509Certificate(pem).raw),
    pem: { certificates: certificate + chain, root: authority.root },
  };
  const files: DeliveredFile[] = [];
  const told: Pick<Role, "name" | "what">[] = [];
  for (const role of rolesOf(outfit, authority.facts.hasIntermediate)) {
    const { name, isSecret } = role;
    const content = kept.includes(name) ? null : await role.content(material, device);
    if (content !== null) files.push({ name, isSecret, content });
    if (content !== null || kept.includes(name)) told.push(role);
  }
  if (hasPasswordFile) {
    files.push({ name: PASSWORD, isSecret: true, content: `${password}\n` });
    told.push({ name: PASSWORD, what: "the password of the stores" });
  }
  const own: DeliveredFile[] = [
    { name: README, content: readme(device, told, withStores), isSecret: false },
    { name: MANIFEST, content: manifestText(device), isSecret: false },
  ];
  return [...files, ...own];
}
