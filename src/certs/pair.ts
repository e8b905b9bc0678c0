// A certificate with its key as one entry of the configuration names it: PEM, or an entry of a key store, with passwords.

import { resolve } from "node:path";
import type { CertificateConfig } from "../config/certificate.ts";
import type { Code } from "../config/codes.ts";
import type { Remark } from "../config/diagnostics.ts";
import { MAX_STORE_BYTES } from "../keystores/store.ts";
import { type FilesRead, INLINE, sourceOf } from "./file-or-content.ts";
import { type Loaded, loadPair } from "./pem.ts";
import { readSecret } from "./secrets.ts";
import { loadFromStore } from "./store-pair.ts";
import type { Wanted } from "./wrong-content.ts";

export type Pair = Extract<Loaded, { kind: "ok" }>;

/** Why a source cannot be used. `field` is the one that the mistake is in. */
export interface Problem extends Remark {
  readonly field: string;
  readonly source: string;
}

/** The code of a file that is not there, or cannot be read. */
export const UNREADABLE: Code = "file-unreadable";

export function readPair(config: CertificateConfig, files: FilesRead): Pair | Problem {
  return config.keyStore === undefined ? pemPair(config, files) : storePair(config, files);
}

function pemPair(config: CertificateConfig, files: FilesRead): Pair | Problem {
  const password = readSecret(config.keyPassword, config.keyPasswordFile, (path) => files.paths.add(path));
  const cert = files.text(config.certFile!);
  const key = config.keyFile === undefined ? cert : files.text(config.keyFile);
  const keyField = config.keyFile === undefined ? "certFile" : "keyFile";
  const unread = (field: string, value: string, wanted: Wanted, message: string): Problem => ({
    ...{ code: UNREADABLE, field, source: sourceOf(value) },
    message: files.describeWrong(value, wanted) ?? message,
  });
  if (cert.kind === "error") return unread("certFile", config.certFile!, "certificate", cert.message);
  if (key.kind === "error") return unread(keyField, config.keyFile!, "private key", key.message);
  const source = key.path ?? INLINE;
  if (password.kind === "error")
    return { code: "key-password", field: passwordField(config), source, message: password.message };
  const loaded = loadPair(cert.text, key.text, password.value);
  if (loaded.kind === "ok") return loaded;
  const inKey = loaded.part !== "certificate";
  const named = (inKey ? key.path : cert.path) ?? INLINE;
  const field = inKey ? keyField : "certFile";
  const value = inKey ? (config.keyFile ?? config.certFile!) : config.certFile!;
  const message = files.describeWrong(value, inKey ? "private key" : "certificate") ?? loaded.message;
  return { code: loaded.code, field, source: named, message: `${named}: ${message}` };
}

function storePair(config: CertificateConfig, files: FilesRead): Pair | Problem {
  const { keyStore, keyStoreType, keyAlias } = config;
  const seen = (path: string): void => void files.paths.add(path);
  const storePassword = readSecret(config.keyStorePassword, config.keyStorePasswordFile, seen);
  const keyPassword = readSecret(config.keyPassword, config.keyPasswordFile, seen);
  const file = files.bytes(keyStore!, MAX_STORE_BYTES);
  if (file.kind === "error")
    return { code: UNREADABLE, field: "keyStore", source: resolve(keyStore!), message: file.message };
  const { path: source } = file;
  if (storePassword.kind === "error")
    return { code: "key-password", field: "keyStorePassword", source, message: storePassword.message };
  if (keyPassword.kind === "error")
    return { code: "key-password", field: passwordField(config), source, message: keyPassword.message };
  const request = {
    type: keyStoreType,
    storePassword: storePassword.value,
    keyPassword: keyPassword.value,
    alias: keyAlias,
  };
  const loaded = loadFromStore(file.bytes, request);
  if (loaded.kind === "ok") return loaded;
  return { code: loaded.code, field: "keyStore", source, message: `${source}: ${loaded.message}` };
}

function passwordField(config: CertificateConfig): string {
  return config.keyPasswordFile === undefined ? "keyPassword" : "keyPasswordFile";
}
