// For which clients a folder is made, as it is typed: family, server, format and password of key stores.

import { isIP } from "node:net";
import type { Authority } from "../authority/authority.ts";
import type { KeyForm } from "../authority/delivery.ts";
import { serverSubject } from "../authority/names.ts";
import { passwordNotes } from "../certs/convert/write.ts";
import { parseHostPort } from "../config/scalars.ts";
import { MQTTS_PORT, type Outfit, type Server } from "../fleet/device.ts";
import { FAMILIES, isFamily } from "../fleet/families.ts";
import type { FolderPlan } from "../fleet/folder.ts";
import { FAMILY_NAMES, type FamilyName, STORE_KINDS, STORES, type StoreKind } from "../fleet/names.ts";
import { hasOpenKey, hasPkcs12, hasStores } from "../fleet/roles.ts";
import { suggestion } from "../text/spelling.ts";
import { newSecret, Refusal } from "./authority-access.ts";
import { checkStorePassword, type StorePasswordOptions } from "./renew-family.ts";
import { secretOption } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

export interface FamilyOptions {
  readonly for?: string;
  readonly host?: string;
  readonly store?: string;
  readonly legacy?: string | boolean;
}

/** @throws Refusal */
export function familyOf(typed: string | undefined): FamilyName | null {
  if (typed === undefined) return null;
  const word = typed.toLowerCase();
  if (isFamily(word)) return word;
  throw new Refusal(`--for is one of ${FAMILY_NAMES.join(", ")}, and not '${typed}'${suggestion(word, FAMILY_NAMES)}`);
}

/** What the folders of these families are to be. Of a table, --store and --legacy are for the rows that can have them. @throws Refusal */
export function outfitsOf(
  families: readonly (FamilyName | null)[],
  options: FamilyOptions,
  server: Server,
  form: KeyForm,
): (Outfit | null)[] {
  const [kind, legacy] = [storeOf(options.store), legacyOf(options.legacy)];
  const outfits = families.map((family): Outfit | null => {
    if (family === null) return null;
    const usual = FAMILIES[family].store;
    const outfit = { family, server, store: usual === null ? null : (kind ?? usual), legacy };
    if (form.password !== null && hasOpenKey(outfit))
      throw new Refusal(`${family} has its key in files that no password protects: leave --keyPasswordFile out`);
    return hasPkcs12(outfit) ? outfit : { ...outfit, legacy: null };
  });
  const some = [...new Set(families.filter((family) => family !== null))].join(", ");
  if (some === "") {
    for (const option of ["host", "store", "legacy"] as const)
      if (options[option] !== undefined) throw new Refusal(`--${option} is of use only with --for`);
    return outfits;
  }
  if (kind !== null && outfits.every((outfit) => outfit === null || outfit.store === null))
    throw new Refusal(`--store is for families with key stores, and not for ${some}`);
  if (legacy !== null && outfits.every((outfit) => outfit === null || outfit.legacy === null)) {
    const hasStore = outfits.some((outfit) => outfit !== null && hasStores(outfit));
    throw new Refusal(`--legacy is for PKCS#12, which ${some} gets ${hasStore ? "only with --store p12" : "none of"}`);
  }
  return outfits;
}

function storeOf(typed: string | undefined): StoreKind | null {
  if (typed === undefined) return null;
  const kind = STORE_KINDS.find((each) => each === typed.toLowerCase());
  if (kind === undefined) throw new Refusal(`--store is one of ${STORE_KINDS.join(", ")}, and not '${typed}'`);
  return kind;
}

/** As `certs convert` has it: RC2 for the certificates, unless triple DES is asked for. @throws Refusal */
function legacyOf(typed: string | boolean | undefined): Outfit["legacy"] {
  if (typed === undefined || typed === false) return null;
  if (typed === true || typed === "rc2") return "rc2";
  if (typed === "3des") return "3des";
  throw new Refusal(`--legacy is rc2 or 3des, and not '${typed}'`);
}

/** The server of --host, with port 8883 where none is given; null where there is no --host. @throws Refusal */
export function serverOf(typed: string | undefined): Server | null {
  if (typed === undefined) return null;
  const bare = isIP(typed) === 6 ? `[${typed}]` : typed;
  const parsed = parseHostPort(/^(?:\[[^\]]*\]|[^:]*)$/.test(bare) ? `${bare}:${MQTTS_PORT}` : bare);
  if (parsed.kind === "error") throw new Refusal(`--host: ${parsed.message}`);
  const { host, port } = parsed;
  if (host === "" || port === 0 || host.includes("*"))
    throw new Refusal(`--host is HOST or HOST:PORT, and not '${typed}'`);
  // As a server's certificate has it: a name with other letters in its ASCII form.
  const named = serverSubject([host]);
  if (named.kind === "error") throw new Refusal(`--host: ${named.message}`);
  return { host: named.subject.alternativeNames[0]!.value, port };
}

/** The one name that all servers of the authority have first; null where there are none or several. */
export function onlyServer({ facts }: Authority): Server {
  const hosts = new Set<string>();
  for (const { purpose, names, revoked, notAfter } of facts.index.read().entries.values())
    if (purpose === "server" && revoked === null && notAfter > Date.now())
      hosts.add(names[0]!.slice(names[0]!.indexOf(":") + 1));
  const [host] = hosts;
  const isKnown = hosts.size === 1 && !host!.startsWith("*.");
  return { host: isKnown ? host! : null, port: MQTTS_PORT };
}

/**
 * The password of all stores: given, or, where somebody is there and one is needed, asked for; null: each folder gets its own.
 * @throws Refusal
 */
export async function storePassword(
  outfits: readonly Outfit[],
  isNeeded: boolean,
  { storePasswordFile, storePasswordEnv }: StorePasswordOptions,
  terminal: Terminal,
): Promise<FolderPlan["password"]> {
  const given = secretOption("storePassword", storePasswordFile, storePasswordEnv);
  if (given.kind === "error") throw new Refusal(given.message);
  const withStores = outfits.filter(hasStores);
  if (withStores.length === 0) {
    if (given.value !== null) throw new Refusal("--storePassword is for families with key stores, and there are none");
    return null;
  }
  if (!isNeeded) return null;
  const value = given.value ?? (await newSecret("Password for the key stores (empty: each gets its own)", terminal));
  if (value === null) return null;
  checkStorePassword(value);
  const notes = withStores.flatMap(({ store, legacy }) => passwordNotes(STORES[store!].type, value, legacy));
  for (const note of new Set(notes)) terminal.error(`note: ${note}`);
  return { from: "operator", value };
}
