// sluice.json in a device's folder: what the folder was made for, so that `certs renew` makes the same anew, and a run over a table knows what
// is done. It holds no secret.

import { join } from "node:path";
import { z } from "zod";
import { isThere, readTextFile } from "../system/files.ts";
import type { Device, Outfit } from "./device.ts";
import { FAMILIES } from "./families.ts";
import { FAMILY_NAMES, STORE_KINDS } from "./names.ts";
import { MANIFEST } from "./roles.ts";

const FORM = z.object({
  name: z.string(),
  serial: z.string(),
  for: z.enum(FAMILY_NAMES),
  host: z.string().nullable(),
  port: z.number().int().min(1).max(65535),
  store: z.enum(STORE_KINDS).nullable(),
  legacy: z.enum(["rc2", "3des"]).nullable(),
  passwordFile: z.boolean(),
});

export interface Manifest {
  readonly name: string;
  readonly serial: string;
  readonly outfit: Outfit;
  readonly hasPasswordFile: boolean;
}

export function manifestText({ name, serial, family, server, store, legacy, hasPasswordFile }: Device): string {
  const { host, port } = server;
  const content: z.infer<typeof FORM> = {
    ...{ name, serial, for: family, host, port, store, legacy },
    passwordFile: hasPasswordFile,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

export type ManifestRead =
  | { readonly kind: "ok"; readonly manifest: Manifest }
  | { readonly kind: "none" }
  | { readonly kind: "error"; readonly message: string };

/** What a folder says of itself. `none`: it is not there, or it was made without a family. */
export function readManifest(folder: string): ManifestRead {
  const path = join(folder, MANIFEST);
  if (!isThere(path)) return { kind: "none" };
  const read = readTextFile(path);
  if (read.kind === "error") return read;
  const form = FORM.safeParse(jsonOf(read.text));
  if (!form.success || (form.data.store === null) !== (FAMILIES[form.data.for].store === null))
    return { kind: "error", message: `${path} is not as Sluice wrote it` };
  const { name, serial, for: family, host, port, store, legacy, passwordFile } = form.data;
  const outfit = { family, server: { host, port }, store, legacy };
  return { kind: "ok", manifest: { name, serial, outfit, hasPasswordFile: passwordFile } };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
