// How a broker is dialled: Traefik's tcp.serversTransports, and tcpServersTransport in the static file.

import { z } from "zod";
import { duration, section, unsupported } from "./decode.ts";

const OTHER_SERVER = "is not built into Sluice yet; ignoring it could accept another server than the one you meant";

export const transport = section({
  /** For one address of one server; 0 is refused, because a black hole would hold a descriptor for minutes. */
  dialTimeout: duration(1, "must be longer than 0").default(30_000),
  /** TCP keep-alive towards the broker; negative is off. */
  dialKeepAlive: duration().default(15_000),
  /** After one side has finished sending, how long the other may stay silent; negative is for ever. */
  terminationDelay: duration().default(100),
  proxyProtocol: unsupported(
    "off",
    "is not built into Sluice yet; ignoring it would tell the broker another client address",
  ),
  tls: section({
    serverName: z.string().min(1).optional(),
    insecureSkipVerify: z.boolean().default(false),
    rootCAs: z.array(z.string().min(1)).default([]),
    certificates: z.array(z.object({ certFile: z.string().min(1), keyFile: z.string().min(1) })).default([]),
    peerCertURI: unsupported("off", OTHER_SERVER),
    peerCertSANs: unsupported("off", OTHER_SERVER),
    spiffe: unsupported("off", OTHER_SERVER),
  }).optional(),
});

export type TransportConfig = z.output<typeof transport>;
