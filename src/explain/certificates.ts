// Which TLS a terminating router has, and which certificate each kind of client gets.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { subjectOf } from "../certs/details.ts";
import { ownCertificates } from "../certs/pem.ts";
import type { CertificateInUse } from "../compile/certificates.ts";
import type { Compiled } from "../compile/compile.ts";
import type { Merged } from "../compile/merge.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import type { Row } from "../protocol/messages.ts";
import { certificateFor, protocolsFor } from "../proxy/decide.ts";
import type { Termination } from "../proxy/tables.ts";
import {
  type CertificateStore,
  DEFAULT_NAME,
  GROUPS,
  SCHEMES,
  type SignatureOffer,
  wildcardOf,
} from "../tls/certificates.ts";
import { ContextCache } from "../tls/contexts.ts";
import type { Client } from "./client.ts";
import { type CertificateChoice, MAX_SHOWN, type TlsFacts } from "./explanation.ts";
import { placeOf } from "./places.ts";

const EVERYWHERE = ["0.0.0.0", "::"];
/** Addresses with certificates that are named in a note. */
const MAX_ADDRESSES = 5;

const ALL_SCHEMES = Object.values(SCHEMES).flat();
/** Clients that certificates with several kinds of key tell apart, as their hellos have it. */
const EVERYTHING: SignatureOffer = {
  signatureAlgorithms: ALL_SCHEMES,
  suites: "any",
  groups: Object.values(GROUPS),
  versions: [0x0304],
};
const OFFERS: readonly (readonly [string, SignatureOffer])[] = [
  ["clients that can verify every kind", EVERYTHING],
  ["clients that can verify ECDSA only", { ...EVERYTHING, signatureAlgorithms: SCHEMES.p256, suites: "ecdsa" }],
  ["clients that can verify Ed25519 only", { ...EVERYTHING, signatureAlgorithms: SCHEMES.ed25519 }],
  ["clients that can verify RSA only", { ...EVERYTHING, signatureAlgorithms: SCHEMES.rsa, suites: "rsa" }],
  ["clients of TLS 1.2 without the curve of an ECDSA certificate", { ...EVERYTHING, groups: [], versions: [] }],
  ["clients before TLS 1.2, which do not say", { ...EVERYTHING, signatureAlgorithms: [], versions: [] }],
];

export function tlsFacts(termination: Termination, client: Client, merged: Merged): TlsFacts {
  const { name, options } = termination;
  const item = merged.options.get(name);
  return {
    options: name,
    place: item === undefined ? null : placeOf(item.at()),
    minVersion: options.minVersion,
    maxVersion: options.maxVersion,
    ciphers: options.ciphers,
    curves: options.curves,
    clientAuth: {
      type: options.clientAuth,
      authorities: subjectsOf(options.clientCa),
      revocationLists: options.revoked?.length ?? null,
      allowedNames: options.allowedNames,
    },
    alpn: {
      protocols: options.alpn,
      // The server's order decides.
      answer: protocolsFor(termination, client.alpn)?.find((protocol) => client.alpn.includes(protocol)) ?? null,
    },
    sniStrict: options.sniStrict,
  };
}

/** Which certificate each kind of client gets; none where one is refused. */
export function certificateChoices(
  compiled: Compiled,
  store: CertificateStore,
  point: EntryPointConfig,
  client: Client,
  termination: Termination,
  notes: string[],
): CertificateChoice[] {
  // Behind a balancer, it is an address of the balancer's that clients dial.
  const isDialled = isIP(point.host) !== 0 && !EVERYWHERE.includes(point.host) && point.proxyProtocol === null;
  const host = isDialled ? point.host : null;
  const name = client.sni || (client.to ?? host ?? "");
  if (name === "") {
    const dialled = compiled.certificates.flatMap(({ names }) => names.filter((each) => isIP(each) !== 0));
    const shown = [...new Set(dialled)].slice(0, MAX_ADDRESSES);
    if (shown.length > 0)
      notes.push(
        `without SNI the address that the client dials is its name, and there are certificates for ${shown.join(", ")}: give it with --to`,
      );
  }
  const several = store.forName(name).length > 1;
  const choices = new Map<string, { clients: string[]; choice: Omit<CertificateChoice, "clients"> }>();
  for (const [clients, offer] of several ? OFFERS : OFFERS.slice(0, 1)) {
    const certificate = certificateFor(store, termination, name, offer);
    if (certificate === null) return [];
    const known = choices.get(certificate.hash);
    if (known !== undefined) {
      known.clients.push(clients);
      continue;
    }
    try {
      new ContextCache().get(termination.options, certificate);
    } catch (error) {
      notes.push(`the certificate does not load: ${(error as Error).message}`);
      return [];
    }
    choices.set(certificate.hash, { clients: [clients], choice: describe(compiled, certificate.hash, name) });
  }
  if ([...choices.values()].some(({ choice }) => choice.match === "default" || choice.match === "self-signed"))
    for (const { resolver, names } of compiled.orders)
      if (names.includes(name) || names.includes(wildcardOf(name)))
        notes.push(`the resolver "${resolver}" is to obtain a certificate for ${names.join(", ")}`);
  return [...choices.values()].map(({ clients, choice }) => {
    return { clients: several ? clients.join("; ") : "all", ...choice };
  });
}

function describe(compiled: Compiled, hash: string, name: string): Omit<CertificateChoice, "clients"> {
  const { value } = compiled.rows.get(`certificate/${hash}`) as Extract<Row, { kind: "certificate" }>;
  // Without one it is Sluice's own.
  const inUse: CertificateInUse | undefined = compiled.certificates.find((each) => each.hash === hash);
  const own = new X509Certificate(value.cert);
  const notAfter = inUse?.notAfter ?? Date.parse(own.validTo);
  const byName = value.names.includes(name) ? "exact" : value.names.includes(wildcardOf(name)) ? "wildcard" : null;
  return {
    match: byName ?? (inUse === undefined ? "self-signed" : "default"),
    names: inUse?.names ?? [DEFAULT_NAME],
    commonName: inUse?.commonName ?? DEFAULT_NAME,
    serial: inUse?.serial ?? own.serialNumber.toLowerCase(),
    keyType: value.keyType,
    source: inUse?.source ?? null,
    notAfter: new Date(notAfter).toISOString(),
    expired: notAfter < Date.now(),
  };
}

/** Of the certificates in a PEM text, at most MAX_SHOWN. */
function subjectsOf(pem: string): string[] {
  return ownCertificates(pem).slice(0, MAX_SHOWN).map(subjectOf);
}
