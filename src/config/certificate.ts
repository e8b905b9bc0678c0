// Certificates as the configuration names them: files or content in PEM, an entry of a key store, a directory, or names to obtain one for.

import { z } from "zod";
import type { Code } from "./codes.ts";
import { field } from "./field.ts";

const word = z.string().min(1);

const PASSWORD = "May be written `${NAME}`: then it is the value of that variable in Sluice's environment.";
export const password = (what: string, otherwise = "none") =>
  field(`${what} ${PASSWORD}`, z.string().min(1).max(1024).optional(), {
    secret: true,
    otherwise,
    example: "${KEY_PASSWORD}",
  });
export const passwordFile = (what: string) =>
  field(`A file whose first line is ${what}.`, word.optional(), {
    kind: "file",
    otherwise: "none",
    example: "/run/secrets/key-password",
  });

/** A certificate with its key: two PEM files, one with both, or an entry of a key store. */
export const certificateFields = z.object({
  certFile: field(
    "The certificate and its chain, in PEM, in any order. Give either this or `keyStore`.",
    word.optional(),
    { kind: "file or content", secret: true, otherwise: "none", example: "certs/mqtt.example.com.crt" },
  ),
  keyFile: field(
    "The private key, in PEM: EC, RSA or Ed25519, in PKCS#8, PKCS#1 or SEC1. Without it, Sluice looks for the key in `certFile`.",
    word.optional(),
    { kind: "file or content", secret: true, otherwise: "`certFile`", example: "certs/mqtt.example.com.key" },
  ),
  keyPassword: password(
    "Opens the private key, also in the old form with `Proc-Type: 4,ENCRYPTED`.",
    "none; in a store the store's",
  ),
  keyPasswordFile: passwordFile("the key's password"),
  keyStore: field(
    "A PKCS#12 (`.p12`, `.pfx`), JKS, JCEKS or BKS file, instead of `certFile` and `keyFile`.",
    word.optional(),
    { kind: "file", otherwise: "none", example: "certs/broker.p12" },
  ),
  keyStoreType: field(
    "The type that the file should have. Sluice goes by its bytes, and warns if they are of another type.",
    z.enum(["PKCS12", "JKS", "JCEKS", "BKS"]).optional(),
    { otherwise: "what the file is", example: "JKS" },
  ),
  keyStorePassword: password("Opens the store."),
  keyStorePasswordFile: passwordFile("the store's password"),
  keyAlias: field("Which entry of the store. Required where it holds several private keys.", word.optional(), {
    otherwise: "the only key",
    example: "mqtt",
  }),
  stores: field(
    "Accepted, without effect: every certificate is in the store `default`.",
    z.array(z.string()).optional(),
    { otherwise: "`default`", example: ["default"] },
  ),
});

type Source = Partial<z.output<typeof certificateFields>>;

/** What does not go together, each by the field that is too much; `message` continues its name. */
export function conflictsOf(value: Source): { readonly field: keyof Source; readonly message: string }[] {
  const conflicts: { field: keyof Source; message: string }[] = [];
  const has = (name: keyof Source): boolean => value[name] !== undefined;
  const found = (name: keyof Source, message: string): void => void conflicts.push({ field: name, message });
  if (has("certFile") && has("keyStore")) found("keyStore", "and certFile are two sources: give one of them");
  if (!has("keyStore"))
    for (const name of ["keyStoreType", "keyStorePassword", "keyStorePasswordFile", "keyAlias"] as const)
      if (has(name)) found(name, "is for a keyStore, and there is none");
  if (has("keyStore") && has("keyFile")) found("keyFile", "does not go with keyStore, which holds the key");
  for (const name of ["keyPassword", "keyStorePassword"] as const)
    if (has(name) && has(`${name}File`)) found(`${name}File`, `and ${name} are two sources: give one of them`);
  return conflicts;
}

export const certificate = certificateFields.meta({ oneOf: ["certFile", "keyStore"] }).superRefine((value, context) => {
  const issue = (path: string[], message: string, code: Code) =>
    context.addIssue({ code: "custom", path, message, params: { code } });
  if (value.certFile === undefined && value.keyStore === undefined)
    issue([], "needs certFile or keyStore", "field-missing");
  for (const { field: name, message } of conflictsOf(value)) issue([name], message, "fields-conflict");
});

/** Every pair in a directory tree. */
export const certificateDirectory = z
  .object({
    directory: field(
      "Read with its sub-directories, 4 levels deep. An entry that is only a path stands for this field.",
      word,
      { kind: "directory", example: "/etc/letsencrypt/live" },
    ),
    keyPassword: password("Opens encrypted keys, also in the old form with `Proc-Type: 4,ENCRYPTED`."),
    keyPasswordFile: passwordFile("the keys' password"),
    default: field(
      "Show the first of its pairs where no certificate fits, unless the store `default` names another one.",
      z.boolean().default(false),
      { example: true },
    ),
  })
  .superRefine((value, context) => {
    if (value.keyPassword !== undefined && value.keyPasswordFile !== undefined)
      context.addIssue({
        code: "custom",
        path: ["keyPasswordFile"],
        message: "and keyPassword are two sources: give one of them",
        params: { code: "fields-conflict" satisfies Code },
      });
  })
  .meta({ scalarKey: "directory" });

/** What a resolver is to obtain. */
export const domain = z.object({
  main: field("The certificate's first name.", z.string(), { example: "mqtt.example.com" }),
  sans: field("Its other names.", z.array(z.string()).default([]), {
    otherwise: "none",
    example: ["*.mqtt.example.com"],
  }),
});

export type CertificateConfig = z.output<typeof certificate>;
export type CertificateDirectoryConfig = z.output<typeof certificateDirectory>;
