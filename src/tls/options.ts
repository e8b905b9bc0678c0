// tls.options of the configuration, made into what a handshake needs: plain data, identified by its content.

import { createHash } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { CertificateFiles } from "../certs/files.ts";
import { suggestion } from "../config/diagnostics.ts";
import type { TlsOptionsConfig } from "../config/dynamic.ts";
import { CIPHERS, CURVES } from "./names.ts";

export type ClientAuthType =
  | "NoClientCert"
  | "RequestClientCert"
  | "RequireAnyClientCert"
  | "VerifyClientCertIfGiven"
  | "RequireAndVerifyClientCert";

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

export interface ServerTlsOptions {
  /** SHA-256 over all the rest: contexts and their session tickets are kept apart by it. */
  readonly key: string;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL's cipher list, or null for the library's default. */
  readonly ciphers: string | null;
  readonly curves: string | null;
  /** null: answer `mqtt` when it is offered, accept anything else. */
  readonly alpn: readonly string[] | null;
  readonly sniStrict: boolean;
  readonly clientAuth: ClientAuthType;
  /** The client CAs in PEM; "" when there are none. */
  readonly clientCa: string;
}

export interface OptionsProblem {
  readonly severity: "error" | "warning";
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const VERSIONS: Record<string, TlsVersion> = {
  VersionTLS10: "TLSv1",
  VersionTLS11: "TLSv1.1",
  VersionTLS12: "TLSv1.2",
  VersionTLS13: "TLSv1.3",
};

/** Traefik's `default` options where the configuration has none: TLS 1.2 and 1.3, everything else the library's choice. */
export const DEFAULT_OPTIONS: ServerTlsOptions = identify({
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  ciphers: null,
  curves: null,
  alpn: null,
  sniStrict: false,
  clientAuth: "NoClientCert",
  clientCa: "",
});

function identify(options: Omit<ServerTlsOptions, "key">): ServerTlsOptions {
  return { key: createHash("sha256").update(JSON.stringify(options)).digest("hex"), ...options };
}

/** Compiles one tls.options entry. With an error among the problems there are no options, and routers that name them refuse. */
export function compileOptions(
  config: TlsOptionsConfig,
  files: CertificateFiles,
): { options: ServerTlsOptions | null; problems: OptionsProblem[] } {
  const problems: OptionsProblem[] = [];
  const error = (path: OptionsProblem["path"], message: string) => problems.push({ severity: "error", path, message });
  const warn = (path: OptionsProblem["path"], message: string) => problems.push({ severity: "warning", path, message });

  const minVersion = VERSIONS[config.minVersion ?? "VersionTLS12"]!;
  const maxVersion = VERSIONS[config.maxVersion ?? "VersionTLS13"]!;
  if (minVersion > maxVersion)
    error(
      ["maxVersion"],
      `maxVersion ${config.maxVersion} is below minVersion ${config.minVersion ?? "VersionTLS12 (the default)"}: no client could connect`,
    );

  const choose = (
    field: "cipherSuites" | "curvePreferences",
    table: Record<string, string>,
    works: (name: string) => boolean,
  ) => {
    const wanted = config[field];
    if (wanted === undefined || wanted.length === 0) return null;
    const chosen: string[] = [];
    let unknown = false;
    for (const [index, name] of wanted.entries()) {
      const known = Object.keys(table).find((each) => each.toLowerCase() === name.toLowerCase());
      if (known === undefined) {
        error([field, index], `unknown name "${name}" in ${field}${suggestion(name, Object.keys(table))}`);
        unknown = true;
      } else if (!works(table[known]!))
        warn([field, index], `${known} does not exist in BoringSSL, Sluice's TLS library, and is left out`);
      else chosen.push(table[known]!);
    }
    if (chosen.length === 0 && !unknown) error([field], `none of ${field} can be used: no client could connect`);
    return [...new Set(chosen)];
  };
  const ciphers = choose("cipherSuites", CIPHERS, (name) => accepts({ ciphers: name }));
  const curves = choose("curvePreferences", CURVES, (name) => accepts({ ecdhCurve: name }));
  // TLS 1.3 suites cannot be chosen in BoringSSL, as in Go; a list of nothing else rules TLS 1.2 out, as in Go.
  const chosen = ciphers?.filter((name) => !name.startsWith("TLS_")) ?? null;
  const only13 = ciphers !== null && ciphers.length > 0 && chosen?.length === 0;
  if (only13 && maxVersion < "TLSv1.3")
    error(
      ["cipherSuites"],
      `cipherSuites names suites of TLS 1.3 alone, and maxVersion is ${config.maxVersion}: no client could connect`,
    );

  const authorities: string[] = [];
  for (const [index, value] of (config.clientAuth?.caFiles ?? []).entries()) {
    const path = ["clientAuth", "caFiles", index];
    const loaded = files.authorities(value);
    if (loaded.kind === "error") error(path, loaded.message);
    else authorities.push(loaded.pem);
  }
  const given = (config.clientAuth?.caFiles.length ?? 0) > 0;
  const clientAuth = config.clientAuth?.clientAuthType ?? (given ? "RequireAndVerifyClientCert" : "NoClientCert");
  if (verifies(clientAuth) && !given)
    error(
      ["clientAuth", "clientAuthType"],
      `${clientAuth} needs caFiles: with no authority, no client could be verified`,
    );

  if (problems.some((problem) => problem.severity === "error")) return { options: null, problems };
  const options = identify({
    minVersion: only13 ? "TLSv1.3" : minVersion,
    maxVersion,
    ciphers: chosen === null || chosen.length === 0 ? null : chosen.join(":"),
    curves: curves === null ? null : curves.join(":"),
    alpn: config.alpnProtocols === undefined || config.alpnProtocols.length === 0 ? null : config.alpnProtocols,
    sniStrict: config.sniStrict,
    clientAuth,
    clientCa: authorities.join(""),
  });
  return { options, problems };
}

/** Whether a client's certificate is checked against the client CAs. */
export function verifies(type: ClientAuthType): boolean {
  return type === "VerifyClientCertIfGiven" || type === "RequireAndVerifyClientCert";
}

const accepted = new Map<string, boolean>();

/** A list silently loses the names that BoringSSL lacks, so each is tried alone. */
function accepts(options: { ciphers?: string; ecdhCurve?: string }): boolean {
  const key = JSON.stringify(options);
  let works = accepted.get(key);
  if (works === undefined) {
    try {
      createSecureContext(options);
      works = true;
    } catch {
      works = false;
    }
    accepted.set(key, works);
  }
  return works;
}
