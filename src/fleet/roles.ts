// Which files a folder has, what each is for, and what is in it.

import type { KeyObject } from "node:crypto";
import { type DeliveredFile, type KeyForm, keyFileText } from "../authority/delivery.ts";
import type { NewEntry } from "../keystores/new-entry.ts";
import { writeBks } from "../keystores/write-bks.ts";
import { writeJks } from "../keystores/write-java.ts";
import { writePkcs12 } from "../keystores/write-pkcs12.ts";
import type { Device, Outfit } from "./device.ts";
import { FAMILIES, type Piece } from "./families.ts";
import { cHeader } from "./header.ts";
import { STORES, type StoreKind } from "./names.ts";

/** The files of every folder. */
export const README = "README.md";
export const MANIFEST = "sluice.json";
/** Only where the password was not chosen by who ran the command. */
export const PASSWORD = "password.txt";

/** What the files are made from. */
export interface Material {
  /** DER: the device's own, and those between it and the root. */
  readonly certificates: readonly Buffer[];
  readonly root: Buffer;
  /** PEM of the same. */
  readonly pem: { readonly certificates: string; readonly root: string };
  /** null where it was taken away from the folder. */
  readonly key: KeyObject | null;
  /** How `client.key` is written. */
  readonly form: KeyForm;
  /** Of the stores; null where there are none. */
  readonly password: string | null;
}

export interface Role {
  readonly name: string;
  /** For the README. */
  readonly what: string;
  readonly isSecret: boolean;
  /** null where it would need a key that is not there. */
  readonly content: (material: Material, device: Device) => DeliveredFile["content"] | Promise<Buffer> | null;
}

/** The files of an outfit, but for its README and what Sluice itself keeps there. */
export function rolesOf(outfit: Outfit, hasIntermediate: boolean): Role[] {
  const roles = FAMILIES[outfit.family].pieces.flatMap((piece) => rolesOfPiece(piece, outfit, hasIntermediate));
  return [...new Map(roles.map((role) => [role.name, role])).values()];
}

/** Whether it has a store, and with it a password. */
export function hasStores({ family }: Outfit): boolean {
  return FAMILIES[family].store !== null;
}

/** Whether it has PKCS#12, which alone has an old form. */
export function hasPkcs12({ family, store }: Outfit): boolean {
  return store === "p12" || FAMILIES[family].pieces.includes("pkcs12");
}

/** Whether its key is in a file that no password protects, as a device compiles it in. */
export function hasOpenKey({ family }: Outfit): boolean {
  return FAMILIES[family].pieces.some((piece) => piece === "header" || piece === "der");
}

const AUTHORITY: Role = {
  ...{ name: "ca.crt", what: "whom the device is to trust", isSecret: false },
  content: ({ pem }) => pem.root,
};

function rolesOfPiece(piece: Piece, outfit: Outfit, hasIntermediate: boolean): Role[] {
  switch (piece) {
    case "pem":
      return [
        {
          ...{ name: "client.key", what: "its private key, which nobody else may have", isSecret: true },
          content: ({ key, form }) => (key === null ? null : keyFileText(key, form)),
        },
        {
          ...{ name: "client.crt", what: "its certificate", isSecret: false },
          content: ({ pem }) => pem.certificates,
        },
        AUTHORITY,
      ];
    case "authority":
      return [AUTHORITY];
    case "store":
      return [keyStore(outfit.store!, outfit)];
    case "pkcs12":
      return [keyStore("p12", outfit)];
    case "trust": {
      const { extension, type } = STORES[outfit.store!];
      return [
        {
          ...{ name: `trust.${extension}`, what: `trust store (${type}): the authority alone`, isSecret: false },
          content: ({ root, password }) => write(outfit.store!, [trusted(root)], password!, outfit),
        },
      ];
    }
    case "der":
      return derRoles(hasIntermediate);
    case "header":
      return [
        {
          ...{ name: "sluice-client.h", what: "key, certificate and authority as strings of C", isSecret: true },
          content: ({ pem, key, form }, device) =>
            key === null
              ? null
              : cHeader(device, { ca: pem.root, certificate: pem.certificates, key: keyFileText(key, form) }),
        },
      ];
    case "qr":
      // Of a server that nobody has named there is no address.
      if (outfit.server.host === null) return [];
      return [
        {
          ...{ name: "qr.png", what: "the address for a phone's camera", isSecret: false },
          content: async (_, device) => {
            const { addressUrl, qrPng } = await import("./qr.ts");
            return qrPng(addressUrl(device));
          },
        },
      ];
  }
}

function keyStore(kind: StoreKind, outfit: Outfit): Role {
  const { extension, type } = STORES[kind];
  return {
    ...{ name: `client.${extension}`, what: `key store (${type}): key, certificate and authority`, isSecret: true },
    content: ({ key, certificates, root, password }) =>
      key === null ? null : write(kind, [{ alias: "client", key, certificates }, trusted(root)], password!, outfit),
  };
}

/** Under the alias that the guides of the families use. */
const trusted = (root: Buffer): NewEntry => ({ alias: "ca", key: null, certificates: [root] });

function write(kind: StoreKind, entries: NewEntry[], password: string, { legacy }: Outfit): Buffer | Promise<Buffer> {
  switch (kind) {
    case "p12":
      return writePkcs12(entries, password, { legacy });
    case "jks":
      return writeJks(entries, password);
    case "bks":
      return writeBks(entries, password, 2);
    case "bks-v1":
      return writeBks(entries, password, 1);
  }
}

function derRoles(hasIntermediate: boolean): Role[] {
  const between: Role = {
    ...{ name: "intermediate.der", what: "who issued it, in DER: sent with the certificate", isSecret: false },
    content: ({ certificates }) => certificates[1]!,
  };
  return [
    {
      ...{ name: "client-key.der", what: "the private key in DER (PKCS#8)", isSecret: true },
      content: ({ key }) => (key === null ? null : (key.export({ type: "pkcs8", format: "der" }) as Buffer)),
    },
    { ...{ name: "client.der", what: "the certificate in DER", isSecret: false }, content: (m) => m.certificates[0]! },
    ...(hasIntermediate ? [between] : []),
    { ...{ name: "ca.der", what: "whom the device is to trust, in DER", isSecret: false }, content: (m) => m.root },
  ];
}
