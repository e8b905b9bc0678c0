// Whether a client that sends FIN before its broker has answered has left, or has only finished sending.

import { parseClientHello } from "./client-hello.ts";

/** What tells MQTT from anything else: type, remaining length, and the name of the protocol. */
const OPENING_BYTES = 16;
const HANDSHAKE_RECORD = 22;

/**
 * `sent` is all that the client has sent so far. True: it has left. An MQTT client never half-closes: it waits for the CONNACK of its
 * CONNECT (MQTT 5.0 4.9 and 3.1.4-4), and closes the network connection to end. Nor does a TLS client whose handshake is not over (RFC
 * 8446 6.1). Who has sent nothing has nothing to be delivered. Anything else may be a request whose answer is still awaited.
 */
export function endsWithFin(sent: readonly Buffer[]): boolean {
  const first = sent[0];
  if (first === undefined) return true;
  const opening = first.length >= OPENING_BYTES ? first : Buffer.concat(sent);
  if (opening.length === 0 || opening[0] === HANDSHAKE_RECORD) return true;
  const result = parseClientHello(opening);
  return result.kind === "more" || (result.kind === "bad" && result.reason === "plain-mqtt");
}
