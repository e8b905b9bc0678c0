// The names of families and of store formats, as they are typed.

import type { StoreType } from "../keystores/store.ts";

export const FAMILY_NAMES = [
  "mosquitto",
  "paho-python",
  "paho-java",
  "paho-c",
  "android",
  "thingsboard",
  "tempus",
  "sinetstream",
  "esp32",
  "node-red",
  "home-assistant",
  "mqttx",
  "generic",
] as const;
export type FamilyName = (typeof FAMILY_NAMES)[number];

export const STORE_KINDS = ["p12", "jks", "bks", "bks-v1"] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

export interface StoreFormat {
  readonly extension: string;
  /** As Java's KeyStore.getInstance() has it. */
  readonly type: StoreType;
}

/** `bks-v1` is for BouncyCastle before 1.47. */
export const STORES: Readonly<Record<StoreKind, StoreFormat>> = {
  p12: { extension: "p12", type: "PKCS12" },
  jks: { extension: "jks", type: "JKS" },
  bks: { extension: "bks", type: "BKS" },
  "bks-v1": { extension: "bks", type: "BKS" },
};
