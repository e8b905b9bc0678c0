// How a broker is dialled: Traefik's tcp.serversTransports, and tcpServersTransport in the static file.

import { z } from "zod";
import { duration, field, section, unsupported } from "./field.ts";
import { proxyProtocolOut } from "./proxy-protocol.ts";

const OTHER_SERVER = "is not built into Sluice yet; ignoring it could accept another server than the one you meant";

/** As many give millions of connections. */
const MAX_SOURCES = 256;

const fileOrContent = z.string().min(1);

export const transport = section({
  dialTimeout: field(
    "How long a TCP connection to one address of a server may take, and then again the TLS handshake with it. Must be longer than 0.",
    // A black hole would hold a descriptor for minutes.
    duration(1, "must be longer than 0").default(30_000),
    { example: "3s" },
  ),
  dialBudget: field(
    "How long a client waits for a server in all, however many servers and addresses are tried. Must be longer than 0.",
    duration(1, "must be longer than 0").optional(),
    { otherwise: "30s, or `dialTimeout` where that is longer", example: "10s" },
  ),
  dialKeepAlive: field(
    "TCP keep-alive towards the broker. `0` is the default, negative is off.",
    duration().default(15_000),
    { example: "1m" },
  ),
  terminationDelay: field(
    "How long the connection may be silent after one side has finished sending. Then it is closed. As long as bytes flow it stays open. Negative: for ever. A bare integer is seconds.",
    duration().default(100),
    { example: "5s" },
  ),
  sourceAddresses: field(
    "Addresses of this machine from which servers are dialled, in turn. Each has local ports of its own, about 28 000. Those of another family than the server's are left out for it. See [More connections than local ports](brokers.md#more-connections-than-local-ports).",
    z.array(z.string().min(1)).max(MAX_SOURCES, `has more than ${MAX_SOURCES} addresses`).default([]),
    { otherwise: "the system chooses", example: ["10.0.0.5", "10.0.0.6"], nothingIsWrong: true },
  ),
  proxyProtocol: field(
    "Send a PROXY protocol header before everything else, so that the server knows whose connection it is: see [The broker knows its clients' addresses](configuration.md#the-broker-knows-its-clients-addresses).",
    proxyProtocolOut.optional(),
    // Without it a server that reads headers would believe those that clients send.
    { otherwise: "absent", nothingIsWrong: true },
  ),
  tls: field(
    "How TLS is spoken to servers with `tls: true`, and to no others. Nothing of a client's stream is sent to a server whose certificate does not pass; a PROXY header is, because it comes before TLS.",
    section({
      serverName: field("The name to ask for and to check the certificate against.", z.string().min(1).optional(), {
        otherwise: "the server's host",
        example: "broker.internal",
      }),
      insecureSkipVerify: field("Do not check the server's certificate at all.", z.boolean().default(false), {
        example: true,
      }),
      rootCAs: field("Only these authorities are trusted then.", z.array(fileOrContent).default([]), {
        kind: "file or content",
        otherwise: "the public authorities built into Bun",
        example: ["certs/internal-ca.crt"],
        nothingIsWrong: true,
      }),
      certificates: field(
        "The client certificate that Sluice shows. Only the first is used.",
        z
          .array(
            z.object({
              certFile: field("The certificate and its chain, in PEM.", fileOrContent, {
                kind: "file or content",
                secret: true,
                example: "certs/sluice.crt",
              }),
              keyFile: field("Its private key, in PEM.", fileOrContent, {
                kind: "file or content",
                secret: true,
                example: "certs/sluice.key",
              }),
            }),
          )
          .default([]),
        { otherwise: "none" },
      ),
      peerCertURI: unsupported("off", OTHER_SERVER),
      peerCertSANs: unsupported("off", OTHER_SERVER),
      spiffe: unsupported("off", OTHER_SERVER),
    }).optional(),
    { otherwise: "as with `{}`", nothingIsEmpty: true },
  ),
});

export type TransportConfig = z.output<typeof transport>;
