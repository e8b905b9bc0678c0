// What the folder of a device is made for, and what its README is to know.

import type { LegacyCipher } from "../keystores/write-pkcs12.ts";
import type { FamilyName, StoreKind } from "./names.ts";

/** Where clients find Sluice. */
export interface Server {
  /** null where nobody has said it. */
  readonly host: string | null;
  readonly port: number;
}

export const MQTTS_PORT = 8883;

/** For whom, and how, a folder is filled. */
export interface Outfit {
  readonly family: FamilyName;
  readonly server: Server;
  /** The format of its key stores; null where the family has none. */
  readonly store: StoreKind | null;
  /** Its PKCS#12 is for old programs. */
  readonly legacy: LegacyCipher | null;
}

export interface Device extends Outfit {
  readonly name: string;
  /** In upper-case hexadecimal. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** `client.key` asks for a password. */
  readonly isKeyEncrypted: boolean;
  /** The password of the stores is in a file of the folder. */
  readonly hasPasswordFile: boolean;
}

/** In place of a host that is not known. */
const PLACEHOLDER = "YOUR-SERVER";

export function hostOf({ server }: Pick<Outfit, "server">): string {
  return server.host ?? PLACEHOLDER;
}

/** `mqtt.example.com:8883`, `[2001:db8::1]:8883`. */
export function addressOf(outfit: Pick<Outfit, "server">): string {
  const host = hostOf(outfit);
  return `${host.includes(":") ? `[${host}]` : host}:${outfit.server.port}`;
}
