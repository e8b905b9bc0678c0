// What is wrong with how a server speaks TLS, and what some clients cannot do with.

import { ALERTS } from "../wire/alert.ts";
import type { ServerFlight } from "../wire/server-flight.ts";
import type { ClientReport, Finding } from "./report.ts";
import { suiteName } from "./suites.ts";
import type { Seen } from "./survey.ts";

/** Bytes: what the input buffer of many small devices holds. */
const SMALL_BUFFER = 4096;
const UNRECOGNIZED_NAME = 112;

/** No certificate could be read: why, as far as the server says. */
export function handshakeProblem({ alert, versions }: Seen, serverName: string | null): Finding {
  if (versions.some(({ accepted }) => accepted === "yes"))
    return {
      code: "certificates-unreadable",
      message:
        "it takes hellos, and its certificates could not be read: its groups or its suites are none that are known here",
      remedy: "Let it take X25519 or P-256, and AES-GCM, which all clients have.",
    };
  if (alert === UNRECOGNIZED_NAME)
    return {
      code: "server-name-unknown",
      message: `it has nothing for ${serverName === null ? "clients without a server name" : `the server name ${serverName}`} (alert unrecognized_name)`,
      remedy: "Give the name that it serves with --sni NAME, or add a router or certificate for this one.",
    };
  return {
    code: "no-handshake",
    message: `it refuses every hello, from TLS 1.0 to 1.3${alert === 0 ? "" : ` (alert ${alertName(alert)})`}`,
    remedy:
      "Its log says why. It may know no such server name (--sni NAME), have no certificate, or want pre-shared keys, which are not tried here.",
  };
}

/** `client`: what became of the client of this check; `hasCertificate`: it had one to show. */
export function handshakeProblems(client: ClientReport, hasCertificate: boolean): Finding[] {
  if (client.letIn !== false) return [];
  const reason = client.reason === "closed" ? "the server closes the connection without a word" : client.reason!;
  if (hasCertificate)
    return [
      {
        code: "client-refused",
        message: `the client with the certificate of --cert is refused: ${reason}`,
        remedy:
          "Its authority may not be in the server's clientAuth.caFiles, or the certificate may be revoked, expired or not for clients. The server's log says which.",
      },
    ];
  if (client.asked) return [];
  return [
    {
      code: "handshake-failed",
      message: `it answers a hello, and a whole handshake fails: ${reason}`,
      remedy:
        "Its key may not belong to its certificate, or something between closes the connection. Its log says why.",
    },
  ];
}

/** `seen.main` is there. `issuers` are those of the certificate of --cert, RFC 4514; null: there is none. */
export function handshakeNotes(seen: Seen, client: ClientReport, issuers: readonly string[] | null): Finding[] {
  const { versions, main, maxFragmentLength, recordSizeLimit, withoutName } = seen;
  const notes: Finding[] = [];
  const accepts = (version: string) => versions.find((each) => each.version === version)?.accepted;
  const old = versions.filter(({ version, accepted }) => version < "1.2" && accepted === "yes");
  if (old.length > 0)
    notes.push({
      code: "old-versions",
      message: `it takes TLS ${old
        .map(({ version }) => version)
        .sort()
        .join(" and ")}, which is not safe any more (RFC 8996)`,
      remedy: "Set the lowest version to 1.2 if no old device needs it; in Sluice, minVersion: VersionTLS12.",
    });
  if (accepts("1.2") === "no")
    notes.push({
      code: "no-tls12",
      message: "it does not take TLS 1.2, and many small devices know nothing newer",
      remedy: "Let it take 1.2 too if such devices are to come.",
    });
  const unclear = versions.filter(({ accepted }) => accepted === "unclear");
  if (unclear.length > 0)
    notes.push({
      code: "version-unclear",
      message: `it neither takes nor refuses TLS ${unclear
        .map(({ version }) => version)
        .sort()
        .join(", ")}: the connection was closed, or nothing came`,
      remedy: "A client that begins with such a version may wait or give up. Something between may drop it.",
    });
  const flight12 = versions.find(({ version, accepted }) => version === "1.2" && accepted === "yes")?.answer.flight;
  const suite = flight12?.hello == null ? "" : suiteName(flight12.hello.suite);
  if (suite.startsWith("TLS_RSA_"))
    notes.push({
      code: "no-forward-secrecy",
      message: `with TLS 1.2 it takes ${suite}: who gets its key one day can read what was recorded before`,
      remedy: "Let it take suites with ECDHE.",
    });
  notes.push(...sizeNotes(main!, maxFragmentLength === "no" && recordSizeLimit === "no"));
  if (withoutName === "refused" || withoutName === "other")
    notes.push({
      code: "needs-server-name",
      message: `clients that send no server name (SNI) ${withoutName === "refused" ? "are refused" : "get another certificate"}: some small devices send none`,
      remedy: "Let the server's default certificate have this name, or switch SNI on in the device.",
    });
  if (seen.refusesAlpn)
    notes.push({
      code: "alpn-refused",
      message: "clients that offer the protocol mqtt (ALPN) are refused",
      remedy: "Add mqtt to the protocols that it takes; in Sluice, alpnProtocols: [mqtt].",
    });
  notes.push(...clientNotes(client, issuers));
  if (seen.trial?.kind === "in" && seen.trial.isClosed)
    notes.push({
      code: "closes-after-handshake",
      message: "it lets the client in, and closes the connection at once, before any CONNECT",
      remedy: "The broker behind it may be down. Its log says why.",
    });
  return notes;
}

function sizeNotes(main: ServerFlight, ignoresLimits: boolean): Finding[] {
  const notes: Finding[] = [];
  if (main.certificateBytes > SMALL_BUFFER)
    notes.push({
      code: "long-chain",
      message: `its certificates are ${main.certificateBytes} bytes long: devices with a buffer of ${SMALL_BUFFER} bytes cannot take that`,
      remedy:
        "Leave out what is not needed, such as the root, or take certificates with EC keys, which are much shorter.",
    });
  if (main.certificateBytes > main.longestRecord)
    notes.push({
      code: "split-certificates",
      message: `its certificates (${main.certificateBytes} bytes) come in several records of at most ${main.longestRecord}: Mbed TLS before 3.6.3 takes them in one alone`,
      remedy: "Send longer records (in Sluice, maxRecordSize), or shorter certificates, if such devices are to come.",
    });
  if (ignoresLimits)
    notes.push({
      code: "large-records",
      message: `it sends records of ${main.longestRecord} bytes also to a client that asks for 512 (max_fragment_length, record_size_limit): devices with small buffers fail`,
      remedy:
        "Put a server before it that keeps to such limits; Sluice does, and maxRecordSize sets one for all clients.",
    });
  return notes;
}

function clientNotes(client: ClientReport, issuers: readonly string[] | null): Finding[] {
  if (issuers === null)
    return client.asked && client.letIn === false
      ? [
          {
            code: "client-required",
            message: "it lets in nobody without a client certificate",
            remedy: "To see whether yours is taken, give --cert FILE and --key FILE.",
          },
        ]
      : [];
  if (!client.asked)
    return [
      {
        code: "client-not-asked",
        message: "it does not ask clients for a certificate: the one of --cert was not shown",
        remedy: "If it should, set clientAuth on the server for this name.",
      },
    ];
  if (client.authorities.length === 0 || client.authorities.some((each) => issuers.includes(each))) return [];
  return [
    {
      code: "client-issuer-not-named",
      message: `it asks for certificates of other authorities than that of --cert: ${client.authorities.slice(0, MAX_NAMED).join("; ")}`,
      remedy: "Some clients then show none. Add the authority to those that the server trusts.",
    },
  ];
}

const MAX_NAMED = 5;

/** As RFC 8446 6 has it. */
export function alertName(number: number): string {
  return Object.entries(ALERTS).find(([, each]) => each === number)?.[0] ?? String(number);
}
