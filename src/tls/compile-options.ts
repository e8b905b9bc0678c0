// tls.options of the configuration, made into what a handshake needs.

import type { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { RevocationList } from "../certs/crl.ts";
import type { CertificateFiles, Outcome } from "../certs/files.ts";
import type { Code } from "../config/codes.ts";
import type { Remark } from "../config/diagnostics.ts";
import type { TlsOptionsConfig } from "../config/tls-options.ts";
import { suggestion } from "../text/spelling.ts";
import { parseNamePattern } from "./client-names.ts";
import { CIPHERS, CURVES, weaknessOf } from "./names.ts";
import { identify, type ServerTlsOptions, type TlsVersion, verifies } from "./options.ts";
import { describeRevocations } from "./revocation-remarks.ts";

export interface OptionsProblem extends Remark {
  /** `survived` is an error in a file whose former content stands in. */
  readonly severity: "error" | "warning" | "survived";
  readonly path: readonly (string | number)[];
}

const VERSIONS: Record<string, TlsVersion> = {
  VersionTLS10: "TLSv1",
  VersionTLS11: "TLSv1.1",
  VersionTLS12: "TLSv1.2",
  VersionTLS13: "TLSv1.3",
};

/** What is said of suites that are asked for although they are weak. */
const WEAKNESSES = {
  "static-rsa":
    "without forward secrecy. Who gets the certificate's key can read all that was recorded before. Keep these options to the routers of old devices",
  cbc: "CBC with an HMAC, on which there are attacks (Lucky Thirteen). Sluice prefers every AEAD suite of the list to it",
} as const;

/** What it means to leave out a list that refuses clients. */
const WITHOUT = {
  crlFiles: "revoked certificates shall be let in",
  allowedNames: "any name will do",
} as const;

/** Compiles one tls.options entry. With an error among the problems there are no options, and routers that name them refuse. */
export function compileOptions(
  config: TlsOptionsConfig,
  files: CertificateFiles,
): { options: ServerTlsOptions | null; problems: OptionsProblem[] } {
  const problems: OptionsProblem[] = [];
  const say =
    (severity: OptionsProblem["severity"]) =>
    (code: Code, path: OptionsProblem["path"], message: string): void =>
      void problems.push({ severity, code, path, message });
  const [error, warn, report] = [say("error"), say("warning"), say("survived")];

  const minVersion = VERSIONS[config.minVersion ?? "VersionTLS12"]!;
  const maxVersion = VERSIONS[config.maxVersion ?? "VersionTLS13"]!;
  if (minVersion > maxVersion)
    error(
      "tls-version",
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
        error(
          "cipher-unknown",
          [field, index],
          `unknown name "${name}" in ${field}${suggestion(name, Object.keys(table))}`,
        );
        unknown = true;
      } else if (!works(table[known]!))
        warn(
          "cipher-unavailable",
          [field, index],
          `${known} does not exist in BoringSSL, Sluice's TLS library, and is left out`,
        );
      else chosen.push(table[known]!);
    }
    if (chosen.length === 0 && !unknown)
      error("cipher-unknown", [field], `none of ${field} can be used: no client could connect`);
    return [...new Set(chosen)];
  };
  const ciphers = choose("cipherSuites", CIPHERS, (name) => accepts({ ciphers: name }));
  const curves = choose("curvePreferences", CURVES, (name) => accepts({ ecdhCurve: name }));
  // TLS 1.3 suites cannot be chosen in BoringSSL, as in Go; a list of nothing else rules TLS 1.2 out, as in Go.
  const chosen = ciphers?.filter((name) => !name.startsWith("TLS_")) ?? null;
  const only13 = ciphers !== null && ciphers.length > 0 && chosen?.length === 0;
  if (only13 && maxVersion < "TLSv1.3")
    error(
      "tls-version",
      ["cipherSuites"],
      `cipherSuites names suites of TLS 1.3 alone, and maxVersion is ${config.maxVersion}: no client could connect`,
    );

  if (minVersion < "TLSv1.2")
    warn(
      "tls-version-old",
      ["minVersion"],
      `${config.minVersion} lets clients in with TLS 1.0 or 1.1, which are deprecated (RFC 8996): keep these options to the routers of old devices`,
    );
  for (const [weakness, what] of Object.entries(WEAKNESSES)) {
    const weak = (config.cipherSuites ?? []).filter((name) => {
      const known = Object.keys(CIPHERS).find((each) => each.toLowerCase() === name.toLowerCase());
      const cipher = known === undefined ? "" : CIPHERS[known]!;
      return chosen?.includes(cipher) && weaknessOf(cipher) === weakness;
    });
    if (weak.length > 0) warn("cipher-weak", ["cipherSuites"], `${weak.join(", ")}: ${what}`);
  }

  const auth = config.clientAuth;
  const authorities: string[] = [];
  const certificates: X509Certificate[] = [];
  // A file that cannot be used is an error, and what it held before stands in, if there was anything.
  const use = <T>(path: OptionsProblem["path"], outcome: Outcome<T>): T | null => {
    if (outcome.kind === "ok") return outcome.value;
    (outcome.former === null ? error : report)(outcome.code, path, outcome.message);
    return outcome.former;
  };
  const password = files.secret(auth?.caPassword, auth?.caPasswordFile);
  for (const [index, value] of (auth?.caFiles ?? []).entries()) {
    const loaded = use(["clientAuth", "caFiles", index], files.authorities(value, password));
    if (loaded === null) continue;
    authorities.push(loaded.pem);
    certificates.push(...loaded.certificates);
  }
  const given = (auth?.caFiles.length ?? 0) > 0;
  const clientAuth = auth?.clientAuthType ?? (given ? "RequireAndVerifyClientCert" : "NoClientCert");
  // Often what is left of a list whose entries are gone: silently nobody would be asked any more.
  if (auth !== undefined && auth.clientAuthType === undefined && !given)
    error(
      "client-auth",
      ["clientAuth"],
      "clientAuth asks for nothing: give caFiles, or say so with  clientAuthType: NoClientCert",
    );
  if (verifies(clientAuth) && !given)
    error(
      "client-auth",
      ["clientAuth", "clientAuthType"],
      `${clientAuth} needs caFiles: with no authority, no client could be verified`,
    );

  const lists: RevocationList[] = [];
  for (const [index, value] of (auth?.crlFiles ?? []).entries())
    lists.push(...(use(["clientAuth", "crlFiles", index], files.revocationLists(value, certificates)) ?? []));
  const revoked = (auth?.crlFiles ?? []).length === 0 ? null : newest(lists);
  if (revoked !== null) {
    if (lists.some((list) => revoked.some(({ issuer, point }) => issuer === list.issuer && point !== list.point)))
      error(
        "crl-points",
        ["clientAuth", "crlFiles"],
        "lists of one authority are for different distribution points, and Sluice needs one that is complete",
      );
    // What a file lacks that could not be read is not worth a second message.
    if (!problems.some(({ severity, path }) => severity === "error" && path[1] === "crlFiles"))
      for (const { code, message } of describeRevocations(revoked, certificates))
        warn(code, ["clientAuth", "crlFiles"], message);
  }
  if (auth?.closeRevoked && auth.crlFiles === undefined)
    error(
      "client-auth",
      ["clientAuth", "closeRevoked"],
      "closeRevoked needs crlFiles: without them nothing is known to be revoked",
    );
  for (const [index, pattern] of (auth?.allowedNames ?? []).entries()) {
    const parsed = parseNamePattern(pattern);
    if (typeof parsed === "string")
      error("name-pattern", ["clientAuth", "allowedNames", index], `the pattern ${parsed}`);
  }
  for (const [field, without] of Object.entries(WITHOUT) as [keyof typeof WITHOUT, string][]) {
    const written = auth?.[field];
    if (written === undefined) continue;
    // As with caFiles: what is left when the entries are gone must not let more clients in.
    if (written.length === 0)
      error(
        "client-auth",
        ["clientAuth", field],
        `${field} has no entries: give some, or remove ${field}, if ${without}`,
      );
    else if (!verifies(clientAuth))
      error(
        "client-auth",
        ["clientAuth", field],
        `${field} needs a clientAuthType that verifies certificates, and ${clientAuth} does not: anyone could make one`,
      );
  }

  if (problems.some((problem) => problem.severity === "error")) return { options: null, problems };
  const options = identify({
    minVersion: only13 ? "TLSv1.3" : minVersion,
    maxVersion,
    ciphers: chosen === null || chosen.length === 0 ? null : chosen.join(":"),
    curves: curves === null ? null : curves.join(":"),
    alpn: config.alpnProtocols === undefined || config.alpnProtocols.length === 0 ? null : config.alpnProtocols,
    sniStrict: config.sniStrict,
    maxRecordSize: config.maxRecordSize ?? 0,
    clientAuth,
    clientCa: authorities.join(""),
    revoked,
    closeRevoked: auth?.closeRevoked ?? false,
    allowedNames: auth?.allowedNames ?? [],
  });
  return { options, problems };
}

/** Of several lists of one authority the latest counts. */
function newest(lists: readonly RevocationList[]): RevocationList[] {
  const byIssuer = new Map<string, RevocationList>();
  for (const list of lists) {
    const other = byIssuer.get(list.issuer);
    if (other === undefined || list.thisUpdate > other.thisUpdate) byIssuer.set(list.issuer, list);
  }
  return [...byIssuer.values()];
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
