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
    }
  /** `reason` as the library has it, such as TLSV1_ALERT_CERTIFICATE_REQUIRED; "closed" when the server said nothing. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "timeout" };

/** How long a server may take to refuse a client behind the handshake (in TLS 1.3 it comes only then), in milliseconds. */
const PATIENCE_MS = 1000;

/** Nothing throws. `timeoutMs` bounds it all. */
export function tryHandshake({ address, port }: Place, options: TrialOptions, timeoutMs: number): Promise<Trial> {
  return new Promise((resolve) => {
    let entered: Extract<Trial, { kind: "in" }> | null = null;
    let patience: ReturnType<typeof setTimeout> | undefined;
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
      entered = { kind: "in", version: socket.getProtocol() ?? "", cipher: standardName || name, verification };
      const is = entered;
      patience = setTimeout(() => end(is), PATIENCE_MS);
    });
    // In TLS 1.3 a ticket comes once the server is content with the client.
    socket.on("session", () => {
      if (entered?.version === "TLSv1.3") end(entered);
    });
    socket.on("error", (error: NodeJS.ErrnoException & { reason?: string }) =>
      end({ kind: "refused", reason: error.reason ?? error.code ?? error.message }),
    );
    // A server that has let the client in may end the connection all the same, for want of a CONNECT.
    socket.on("close", () => end({ kind: "refused", reason: "closed" }));
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
