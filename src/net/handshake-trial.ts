// A whole handshake as a client, by the runtime's TLS library: whether a client with these authorities and this certificate gets in.

import { connect } from "node:tls";
import type { Place } from "./exchange.ts";

export interface TrialOptions {
  /** SNI; null sends none. */
  readonly serverName: string | null;
  readonly alpn: readonly string[];
  /** PEM; null: the public authorities. */
  readonly ca: readonly string[] | null;
  /** PEM. */
  readonly client: { readonly cert: string; readonly key: string } | null;
}

export type Trial =
  /** `verification`: the library's code for why it does not trust the server's chain, such as CERT_HAS_EXPIRED; null: it does. */
  | {
      readonly kind: "in";
      readonly version: string;
      readonly cipher: string;
      readonly verification: string | null;
      /** It closed the connection right after, without an alert. */
      readonly isClosed: boolean;
    }
  /** `reason` as the library has it, such as TLSV1_ALERT_CERTIFICATE_REQUIRED; "closed" when the server said nothing. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "timeout" };

/**
 * How long a server may take to refuse a client behind the handshake (in TLS 1.3 it comes only then): milliseconds at least, and several
 * times what the handshake took, on a long way.
 */
const PATIENCE_MS = 500;
const PATIENCE_TIMES = 3;

/** Nothing throws. `timeoutMs` bounds it all. */
export function tryHandshake({ address, port }: Place, options: TrialOptions, timeoutMs: number): Promise<Trial> {
  return new Promise((resolve) => {
    let entered: Extract<Trial, { kind: "in" }> | null = null;
    let patience: ReturnType<typeof setTimeout> | undefined;
    const startedAt = performance.now();
    const end = (trial: Trial) => {
      clearTimeout(timer);
      clearTimeout(patience);
      socket?.destroy();
      resolve(trial);
    };
    const timer = setTimeout(() => end(entered ?? { kind: "timeout" }), timeoutMs);
    const socket = start(address, port, options);
    if (socket === null) return end({ kind: "refused", reason: "certificate and key do not load" });
    socket.on("secureConnect", () => {
      const verification = socket.authorized ? null : String(socket.authorizationError ?? "unknown");
      const { name, standardName } = socket.getCipher();
      entered = {
        kind: "in",
        version: socket.getProtocol() ?? "",
        cipher: standardName || name,
        verification,
        isClosed: false,
      };
      const is = entered;
      const took = performance.now() - startedAt;
      patience = setTimeout(() => end(is), Math.max(PATIENCE_MS, PATIENCE_TIMES * took));
    });
    // Nobody talks to a client whom he is about to refuse; a ticket alone may be followed by an alert.
    socket.on("data", () => {
      if (entered !== null) end(entered);
    });
    const closed = () => end(entered === null ? { kind: "refused", reason: "closed" } : { ...entered, isClosed: true });
    socket.on("error", (error: NodeJS.ErrnoException & { reason?: string }) => {
      // Behind the handshake a refusal is an alert; anything else says nothing about the client.
      if (entered !== null && !error.code?.startsWith("ERR_SSL_")) return closed();
      end({ kind: "refused", reason: error.reason ?? error.code ?? error.message });
    });
    socket.on("close", closed);
  });
}

function start(address: string, port: number, options: TrialOptions) {
  const { serverName, alpn, ca, client } = options;
  try {
    return connect({
      host: address,
      port,
      rejectUnauthorized: false,
      // The name is the caller's business; a wrong one would hide what is wrong with the chain.
      checkServerIdentity: () => undefined,
      ...(serverName === null ? {} : { servername: serverName }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      ...(ca === null ? {} : { ca: [...ca] }),
      ...(client === null ? {} : client),
    });
  } catch {
    return null;
  }
}
