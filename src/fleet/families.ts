// The families of clients: what is in the folder of a device, and how its README says what to set. One table; whoever makes folders, checks
// servers for small devices, or reads the variables of a platform goes by it.

import type { Device } from "./device.ts";
import type { FamilyName, StoreKind } from "./names.ts";
import { android, homeAssistant, mqttx, nodeRed } from "./settings-apps.ts";
import { esp32, pahoC, pahoJava, pahoPython } from "./settings-code.ts";
import { generic, mosquitto, sinetstream, tempus, thingsboard } from "./settings-programs.ts";

/**
 * What a folder is put together from. `pem`: certificate, key and authority, a file each. `authority`: whom to trust, in PEM. `store`: a key
 * store with all three, in the format of the outfit. `trust`: another one with the authority alone. `pkcs12`: PKCS#12 beside a store of
 * another format. `der`: the three in DER. `header`: the three as strings of C. `qr`: a picture of the address.
 */
export type Piece = "pem" | "authority" | "store" | "trust" | "pkcs12" | "der" | "header" | "qr";

export interface Family {
  /** What its users call it. */
  readonly title: string;
  readonly pieces: readonly Piece[];
  /** The format of its stores, unless another one is asked for; null where it has none. */
  readonly store: StoreKind | null;
  /** Markdown: what to set, by the names that this client has for it. */
  readonly settings: (device: Device) => readonly string[];
}

export const FAMILIES: Readonly<Record<FamilyName, Family>> = {
  mosquitto: { title: "Mosquitto's clients and bridges", pieces: ["pem"], store: null, settings: mosquitto },
  "paho-python": { title: "Eclipse Paho for Python", pieces: ["pem"], store: null, settings: pahoPython },
  "paho-java": { title: "Eclipse Paho for Java", pieces: ["store", "trust"], store: "p12", settings: pahoJava },
  "paho-c": { title: "Eclipse Paho for C", pieces: ["pem"], store: null, settings: pahoC },
  android: { title: "Android", pieces: ["store", "pkcs12", "authority", "qr"], store: "bks", settings: android },
  thingsboard: {
    title: "a device of ThingsBoard",
    ...{ pieces: ["pem", "store", "trust"], store: "jks", settings: thingsboard },
  },
  tempus: { title: "a device of Tempus", pieces: ["pem", "store", "trust"], store: "jks", settings: tempus },
  sinetstream: { title: "SINETStream", pieces: ["pem"], store: null, settings: sinetstream },
  esp32: { title: "ESP32, ESP8266 and Arduino", pieces: ["header", "der"], store: null, settings: esp32 },
  "node-red": { title: "Node-RED", pieces: ["pem"], store: null, settings: nodeRed },
  "home-assistant": { title: "Home Assistant", pieces: ["pem"], store: null, settings: homeAssistant },
  mqttx: { title: "MQTTX", pieces: ["pem", "qr"], store: null, settings: mqttx },
  generic: { title: "any client", pieces: ["pem", "store"], store: "p12", settings: generic },
};

export function isFamily(word: string): word is FamilyName {
  return Object.hasOwn(FAMILIES, word);
}
