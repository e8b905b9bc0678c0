// What the variables of a keygen.properties ask for: names of files, passwords, aliases, the kind of key, and the distinguished name. The
// same for ThingsBoard (client.keygen.sh and server.keygen.sh, from 2016 on) and for Tempus, which has taken them over.

import type { KeyChoice } from "../authority/keys.ts";
import { clientSubject, type NamePart, type Subject, serverSubject } from "../authority/names.ts";
import { isFitForName } from "../text/names.ts";
import { suggestion } from "../text/spelling.ts";
import type { Setting } from "./properties.ts";

export interface KeygenPlan {
  readonly purpose: "client" | "server";
  readonly subject: Subject;
  readonly key: KeyChoice;
  /** Paths of the files begin so. */
  readonly prefix: string;
  readonly alias: string;
  /** Of the authority in the store of a client: the scripts had the server's own certificate there. */
  readonly serverAlias: string;
  readonly storePassword: string;
  readonly keyPassword: string;
}

export type KeygenPlanned =
  | { readonly kind: "ok"; readonly plan: KeygenPlan; readonly notes: readonly string[] }
  /** `line`: null where a variable is missing. */
  | { readonly kind: "error"; readonly line: number | null; readonly message: string };

const COMMON = [
  ...["DOMAIN_SUFFIX", "SUBJECT_ALTERNATIVE_NAMES", "ORGANIZATIONAL_UNIT", "ORGANIZATION", "CITY"],
  ...["STATE_OR_PROVINCE", "TWO_LETTER_COUNTRY_CODE"],
];
const OF_EACH = [
  "KEYSTORE_PASSWORD",
  "KEY_PASSWORD",
  "KEY_ALIAS",
  "FILE_PREFIX",
  "KEY_ALG",
  "KEY_SIZE",
  "KEY_GROUP_NAME",
];
/** Every variable that one of the scripts knows. */
export const KNOWN_VARIABLES: readonly string[] = [
  ...COMMON,
  ...OF_EACH.map((end) => `SERVER_${end}`),
  "SERVER_KEYSTORE_DIR",
  ...OF_EACH.map((end) => `CLIENT_${end}`),
  "CLIENT_TRUSTSTORE",
];

/** Parts of the distinguished name in the order of DER, which is the reverse of what keytool's -dname has. */
const PARTS: readonly (readonly [NamePart["type"], string, number])[] = [
  ["C", "TWO_LETTER_COUNTRY_CODE", 2],
  ["ST", "STATE_OR_PROVINCE", 128],
  ["L", "CITY", 128],
  ["O", "ORGANIZATION", 64],
  ["OU", "ORGANIZATIONAL_UNIT", 64],
];

/** What keytool asks of a password. */
const KEYTOOL_MINIMUM = 6;

class Fault extends Error {
  readonly line: number | null;

  constructor(line: number | null, message: string) {
    super(message);
    this.line = line;
  }
}

/** Total; messages quote no password. */
export function planOf(purpose: "client" | "server", settings: ReadonlyMap<string, Setting>): KeygenPlanned {
  try {
    return read(purpose, settings);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { kind: "error", line: error.line, message: error.message };
  }
}

function read(purpose: "client" | "server", settings: ReadonlyMap<string, Setting>): KeygenPlanned {
  for (const [name, { line }] of settings)
    if (!KNOWN_VARIABLES.includes(name))
      throw new Fault(
        line,
        `${name} is no variable of ThingsBoard's keygen.properties${suggestion(name, KNOWN_VARIABLES)}`,
      );
  const notes: string[] = [];
  const own = purpose === "client" ? "CLIENT" : "SERVER";
  const get = (name: string): string => settings.get(name)?.value ?? "";
  const need = (name: string): string => {
    const setting = settings.get(name);
    if (setting === undefined) throw new Fault(null, `${name} is missing: add a line ${name}=...`);
    if (setting.value === "") throw new Fault(setting.line, `${name} is empty`);
    if (!isFitForName(setting.value)) throw new Fault(setting.line, `${name} has a control character`);
    return setting.value;
  };
  const password = (name: string): string => {
    const value = need(name);
    if (value.length < KEYTOOL_MINIMUM)
      notes.push(`${name} has fewer than ${KEYTOOL_MINIMUM} characters: keytool does not open such a store`);
    if (!/^[\x20-\x7e]*$/.test(value)) notes.push(`${name} is not ASCII: Java then does not open the PKCS#12 file`);
    return value;
  };
  const domain = need("DOMAIN_SUFFIX");
  const around = PARTS.flatMap(([type, name, most]): NamePart[] => {
    const value = get(name);
    if (value === "") return [];
    const { line } = settings.get(name)!;
    if (!isFitForName(value)) throw new Fault(line, `${name} has a control character`);
    if (type === "C" && !/^[A-Za-z]{2}$/.test(value)) throw new Fault(line, `${name} is two letters, such as US`);
    if ([...value].length > most) throw new Fault(line, `${name} has more than ${most} characters (RFC 5280)`);
    return [{ type, value: type === "C" ? value.toUpperCase() : value }];
  });
  const line = settings.get("DOMAIN_SUFFIX")!.line;
  const named = purpose === "client" ? clientSubject(domain) : serverSubject([domain, ...alternativeNames(settings)]);
  if (named.kind === "error") throw new Fault(line, `DOMAIN_SUFFIX: ${named.message}`);
  notes.push(...named.notices);
  const subject = { ...named.subject, around };
  if (settings.has("CLIENT_TRUSTSTORE") && purpose === "client")
    notes.push("CLIENT_TRUSTSTORE is not used: the authority goes into the key store, as client.keygen.sh does it");
  const plan: KeygenPlan = {
    ...{ purpose, subject, key: keyOf(own, settings, notes) },
    prefix: pathOf(`${own}_FILE_PREFIX`, need(`${own}_FILE_PREFIX`), settings),
    alias: need(`${own}_KEY_ALIAS`),
    serverAlias: need("SERVER_KEY_ALIAS"),
    storePassword: password(`${own}_KEYSTORE_PASSWORD`),
    keyPassword: password(`${own}_KEY_PASSWORD`),
  };
  // Java folds aliases, so two of them would be one entry.
  if (purpose === "client" && plan.alias.toLowerCase() === plan.serverAlias.toLowerCase())
    throw new Fault(settings.get("CLIENT_KEY_ALIAS")!.line, "CLIENT_KEY_ALIAS and SERVER_KEY_ALIAS are the same");
  return { kind: "ok", plan, notes };
}

function pathOf(name: string, value: string, settings: ReadonlyMap<string, Setting>): string {
  if (value.endsWith("/"))
    throw new Fault(settings.get(name)!.line, `${name} ends in a /: it is the beginning of a file's name`);
  return value;
}

/** As keytool's `-ext san=` has them: `dns:a.test,ip:127.0.0.1`. */
function alternativeNames(settings: ReadonlyMap<string, Setting>): string[] {
  const setting = settings.get("SUBJECT_ALTERNATIVE_NAMES");
  if (setting === undefined || setting.value === "") return [];
  return setting.value.split(",").map((each) => {
    const [, kind, value] = /^\s*(dns|ip):(.+?)\s*$/i.exec(each) ?? [];
    if (kind === undefined)
      throw new Fault(setting.line, "SUBJECT_ALTERNATIVE_NAMES is a list like dns:mqtt.example.com,ip:192.0.2.7");
    return value!;
  });
}

/** keytool's names of curves, and their sizes. */
const CURVES: ReadonlyMap<string, KeyChoice> = new Map([
  ["secp256r1", "ec"],
  ["256", "ec"],
  ["secp384r1", "ec384"],
  ["384", "ec384"],
]);
const RSA_SIZES: ReadonlyMap<string, KeyChoice> = new Map([
  ["2048", "rsa2048"],
  ["3072", "rsa3072"],
  ["4096", "rsa4096"],
]);

/** Without KEY_ALG it is RSA of 2048 bits, as before the scripts had a choice. */
function keyOf(own: "CLIENT" | "SERVER", settings: ReadonlyMap<string, Setting>, notes: string[]): KeyChoice {
  const [algorithm, size, group] = ["ALG", "SIZE", "GROUP_NAME"].map((end) => settings.get(`${own}_KEY_${end}`));
  const kind = algorithm?.value.toUpperCase() ?? "RSA";
  if (kind !== "RSA" && kind !== "EC") throw new Fault(algorithm!.line, `${own}_KEY_ALG is RSA or EC`);
  if (kind === "RSA") {
    if (group !== undefined && group.value !== "") notes.push(`${own}_KEY_GROUP_NAME is for EC keys, and not used`);
    const choice = RSA_SIZES.get(size?.value || "2048");
    if (choice === undefined) throw new Fault(size!.line, `${own}_KEY_SIZE of RSA is 2048, 3072 or 4096`);
    return choice;
  }
  const asked = group?.value ? group : size;
  const choice = CURVES.get(asked?.value || "secp256r1");
  if (choice === undefined)
    throw new Fault(
      asked!.line,
      group?.value ? `${own}_KEY_GROUP_NAME is secp256r1 or secp384r1` : `${own}_KEY_SIZE of EC is 256 or 384`,
    );
  return choice;
}
