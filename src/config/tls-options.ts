// tls.options: how TLS is spoken with clients.

import { z } from "zod";
import { password, passwordFile } from "./certificate.ts";
import { field, LATER, section, unsupported } from "./field.ts";

const word = z.string().min(1);

const version = z.enum(["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"]);

export const tlsOptions = z.object({
  minVersion: field("The lowest TLS version.", version.optional(), {
    otherwise: "`VersionTLS12`",
    example: "VersionTLS13",
    nothingIsWrong: true,
  }),
  maxVersion: field("The highest TLS version.", version.optional(), {
    otherwise: "`VersionTLS13`",
    example: "VersionTLS12",
  }),
  cipherSuites: field(
    "Go's names, for TLS 1.2 and below. Those of TLS 1.3 cannot be chosen; a list of these alone leaves only TLS 1.3. Sluice leaves out those that the TLS library (BoringSSL) lacks, and warns. If none is left, that is an error. A misspelled name is an error.",
    z.array(word).optional(),
    {
      otherwise: "[the suites with forward secrecy](security.md#cipher-suites)",
      example: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
      nothingIsWrong: true,
    },
  ),
  curvePreferences: field(
    "`X25519MLKEM768`, `X25519`, `CurveP256` or `secp256r1`, `CurveP384` or `secp384r1`, `CurveP521` or `secp521r1`, `SecP256r1MLKEM768`, `SecP384r1MLKEM1024`. Sluice leaves out those that the TLS library lacks, and warns. If none is left, that is an error. A misspelled name is an error.",
    z.array(word).optional(),
    { otherwise: "the TLS library's choice", example: ["X25519MLKEM768", "X25519"] },
  ),
  maxRecordSize: field(
    "The most bytes of content in a TLS record that Sluice sends, for clients with small buffers that do not say so themselves. A client's own max_fragment_length or record_size_limit is kept to without this field.",
    z.int().min(512).max(16_384).optional(),
    { unit: "bytes", otherwise: "16384", example: 4096 },
  ),
  alpnProtocols: field(
    "The protocols, in the order of preference. A client that offers only others is refused; one that offers none is served. Without the field, Sluice answers `mqtt` to clients that offer it, and serves every client.",
    z.array(z.string().min(1).max(255)).optional(),
    { otherwise: "none", example: ["mqtt"], nothingIsWrong: true },
  ),
  sniStrict: field(
    "Refuse a client for whose name there is no certificate, instead of showing the default one.",
    z.boolean().default(false),
    { example: true, nothingIsWrong: true },
  ),
  clientAuth: field(
    "Certificates that clients show. A good one is issued by one of `caFiles`, for use by clients, and valid now.",
    section({
      caFiles: field(
        "Who may issue client certificates. PEM, a certificate in DER (`.cer`), or a trust store: the certificates of a PKCS#12, JKS, JCEKS or BKS file.",
        z.array(word).default([]),
        { kind: "file or content", otherwise: "none", example: ["certs/device-ca.crt"] },
      ),
      caPassword: password("Opens the trust stores among `caFiles`. JKS, JCEKS and BKS can be read without."),
      caPasswordFile: passwordFile("the trust stores' password"),
      crlFiles: field(
        "Files with the revocation lists of these authorities, in PEM or DER: see [Revocation lists](configuration.md#revocation-lists).",
        z.array(word).optional(),
        // Nor may it or `allowedNames` be taken for absent when its entries are gone: more clients would be let in.
        { kind: "file", otherwise: "none", example: ["certs/device-ca.crl"], nothingIsEmpty: true },
      ),
      closeRevoked: field(
        "When a certificate is revoked, also close the open connections of its client, within a second.",
        z.boolean().default(false),
        { example: true, nothingIsWrong: true },
      ),
      allowedNames: field(
        "Patterns: one of the certificate's names must match one of them. See [allowedNames](configuration.md#allowednames).",
        z.array(word).optional(),
        { otherwise: "any", example: ["CN:sensor-*", "DNS:*.devices.example.com"], nothingIsEmpty: true },
      ),
      clientAuthType: field(
        "What is asked of clients. `NoClientCert`: not asked for. `RequestClientCert`: asked for, not required, not checked. `RequireAnyClientCert`: required, not checked. `VerifyClientCertIfGiven`: not required; one that is shown must be good. `RequireAndVerifyClientCert`: required, and must be good. The last two need `caFiles`.",
        z
          .enum([
            "NoClientCert",
            "RequestClientCert",
            "RequireAnyClientCert",
            "VerifyClientCertIfGiven",
            "RequireAndVerifyClientCert",
          ])
          .optional(),
        {
          otherwise: "`RequireAndVerifyClientCert`; without `caFiles` it must be given",
          example: "VerifyClientCertIfGiven",
        },
      ),
    }).optional(),
    // It must not be taken for absent: clients would not be asked any more.
    { otherwise: "absent", nothingIsEmpty: true },
  ),
  disableSessionTickets: unsupported("warn", LATER),
  preferServerCipherSuites: unsupported("warn", "has no effect in Traefik either"),
});

export type TlsOptionsConfig = z.output<typeof tlsOptions>;
