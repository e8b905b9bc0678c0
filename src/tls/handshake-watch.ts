// Beside the TLS library's own handshake: what the client says in the clear, and the alert that it gets when its certificate is refused.
//
// Bun accepts every client certificate in the handshake and tells afterwards what is wrong with it, so the library never sends an alert
// about one. In TLS 1.3 Sluice encrypts one itself when the handshake is over (sealed-alert.ts). Before TLS 1.3 the server's part ends
// in the same step in which the certificate is read, and what follows is encrypted with keys that nobody is told. There the certificate
// is looked at while it comes by in the clear, and what is certain is answered in the clear, ahead of the library (foresee.ts).

import type { NativeSocket, NativeTlsSocket } from "../net/socket.ts";
import type { HandshakeWatcher } from "../net/tls.ts";
import { fatalAlert } from "../wire/alert.ts";
import { CertificateReader, plainAlertIn } from "../wire/client-flight.ts";
import { CLIENT_AUTH_ALERTS, type ClientAuthReject } from "./client-auth.ts";
import { foresee } from "./foresee.ts";
import type { ServerTlsOptions } from "./options.ts";
import { sealedAlert } from "./sealed-alert.ts";

/** How the line begins; behind it are the client's random and, last, the secret, in hexadecimal. */
const SECRET = Buffer.from("SERVER_TRAFFIC_SECRET_0 ");
const SPACE = 0x20;
const TLS13 = 0x0304;

/** The owner of the raw twin while a handshake goes on. */
export class HandshakeWatch implements HandshakeWatcher {
  /** The fatal alert that the client sent in the clear; 0: none. */
  alert = 0;
  /** The certificate is refused, and the client has been told: whatever the library says, the connection must end with this. */
  refused: ClientAuthReject | null = null;
  readonly #options: ServerTlsOptions;
  #reader: CertificateReader | null = null;
  #secret: Buffer | null = null;
  /** The library's keys are asked for: TLS 1.3 will be spoken, and the client may be refused. */
  readonly wantsSecret: boolean;
  /** Writes past the TLS library; set when there is such a socket. */
  raw: NativeSocket | null = null;

  /** `versions` of the hello. */
  constructor(options: ServerTlsOptions, versions: readonly number[]) {
    this.#options = options;
    const mayRefuse = options.clientAuth !== "NoClientCert" && options.clientAuth !== "RequestClientCert";
    const isTls13 = options.maxVersion === "TLSv1.3" && versions.includes(TLS13);
    this.wantsSecret = mayRefuse && isTls13;
    if (mayRefuse && !isTls13) this.#reader = new CertificateReader();
  }

  /** Ciphertext, and what comes in the clear, before the library sees it. */
  onData(chunk: Buffer): void {
    if (this.alert === 0) this.alert = plainAlertIn(chunk);
    if (this.#reader === null) return;
    const result = this.#reader.push(chunk);
    if (result.kind === "more") return;
    this.#reader = null;
    if (result.kind === "none" || this.raw === null) return;
    const reason = foresee(this.#options, result.certificates, Date.now());
    if (reason === null) return;
    this.refused = reason;
    const alert = CLIENT_AUTH_ALERTS[reason];
    this.raw.write(fatalAlert(alert === "certificate_required" ? "handshake_failure" : alert));
  }

  /** A line of the library's key log. Of those only one is kept, for as long as the handshake takes. */
  onSecret(line: Buffer): void {
    if (line.subarray(0, SECRET.length).equals(SECRET))
      this.#secret = Buffer.from(line.toString("latin1", line.lastIndexOf(SPACE) + 1), "hex");
    line.fill(0);
  }

  /** Tells the client that its certificate is refused, where that is possible; the handshake is over, and nothing was written since. */
  tell(socket: NativeTlsSocket, reason: ClientAuthReject): void {
    if (this.#secret === null || this.raw === null || socket.getTLSVersion() !== "TLSv1.3") return;
    const record = sealedAlert(socket.getCipher().standardName, this.#secret, CLIENT_AUTH_ALERTS[reason]);
    if (record !== null) this.raw.write(record);
  }

  /** The handshake is over, whatever its end: nothing more is watched, and the secret is forgotten. */
  done(): void {
    this.#secret?.fill(0);
    this.#secret = null;
    this.#reader = null;
  }

  onDrain(): void {}
  onEnd(): void {}
  onClose(): void {}
  onHandshake(): void {}
}
