// Reads what a server answers to a ClientHello, up to where it waits for the client: who it says it is, what it has chosen and how long
// its records are. Total: any bytes give a result. What is encrypted in TLS 1.3 is opened by whoever sent the hello.

import { ALERT_RECORD } from "./alert.ts";
import { MessageReader, Unreadable } from "./message-reader.ts";
import { EXTENSION } from "./probe-hello.ts";

/** All bytes of an answer: BoringSSL takes 100 kB of certificates, and others less. */
export const MAX_FLIGHT = 256 * 1024;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
/** Content, and what encryption adds at most (RFC 8446 5.2). */
const MAX_RECORD = 16 * 1024 + 256;
const TAG = 16;
const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

const MESSAGE = {
  serverHello: 2,
  encryptedExtensions: 8,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  finished: 20,
  certificateStatus: 22,
} as const;

/** RFC 8446 4.1.3: the random of a HelloRetryRequest. */
const RETRY = Buffer.from("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c", "hex");

export interface ServerHello {
  /** By its number on the wire. */
  readonly version: number;
  readonly suite: number;
  /** The share of TLS 1.3, or the group that a HelloRetryRequest asks for, which has no key; null before. */
  readonly share: { readonly group: number; readonly key: Uint8Array } | null;
  /** It asks for another hello, and says nothing more. */
  readonly isRetry: boolean;
  /** The message itself, which the keys of TLS 1.3 go by. */
  readonly message: Uint8Array;
}

/** Opens one record of TLS 1.3, of which `header` is authenticated; null when it cannot. */
export type Unseal = (header: Uint8Array, sealed: Uint8Array) => Uint8Array | null;

export interface CertificateRequest {
  /** Names of authorities in DER; none: whatever the client has. */
  readonly authorities: readonly Uint8Array[];
}

/** How the reading ended, or that it has not. */
export type FlightState =
  | "more"
  /** The server has said all, or asks for another hello. */
  | "done"
  /** A fatal alert, `alert`. */
  | "alert"
  /** No TLS. */
  | "stranger"
  /** TLS that cannot be read, or is longer than MAX_FLIGHT. */
  | "bad";

export class ServerFlight {
  state: FlightState = "more";
  alert = 0;
  hello: ServerHello | null = null;
  /** null: the server has chosen none. */
  alpn: string | null = null;
  /** What the server has agreed to of what the hello asked for. */
  fragmentLengthAgreed = false;
  recordSizeLimitAgreed = false;
  /** In DER, as they were sent. */
  certificates: readonly Uint8Array[] = [];
  /** Bytes of the Certificate message, with its header; 0: none came. */
  certificateBytes = 0;
  /** A proof of the certificate's status came with it. */
  stapled = false;
  request: CertificateRequest | null = null;
  /** Of the key exchange: a group's number, or the bits of a Diffie-Hellman prime; null where RSA alone does it, or nothing is known. */
  group: { readonly kind: "group"; readonly number: number } | { readonly kind: "dh"; readonly bits: number } | null =
    null;
  /** Bytes of content of the longest record. */
  longestRecord = 0;
  /** What came first, for a look at strangers. At most 64 bytes. */
  first = Buffer.alloc(0);
  readonly #open: (hello: ServerHello) => Unseal | null;
  #unseal: Unseal | null = null;
  #received = Buffer.alloc(0);
  #messages = Buffer.alloc(0);
  #total = 0;

  /** `open` gives the way to open records behind a ServerHello of TLS 1.3; null: there is none, and they stay closed. */
  constructor(open: (hello: ServerHello) => Unseal | null) {
    this.#open = open;
  }

  /** Takes the next bytes; after a state other than "more" they are not looked at. */
  push(chunk: Uint8Array): FlightState {
    if (this.state !== "more") return this.state;
    this.#total += chunk.length;
    if (this.first.length < 64) this.first = Buffer.concat([this.first, chunk]).subarray(0, 64);
    this.#received = Buffer.concat([this.#received, chunk]);
    try {
      this.#records();
      if (this.state === "more" && this.#total > MAX_FLIGHT) this.state = "bad";
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.state = "bad";
    }
    return this.state;
  }

  #records(): void {
    let at = 0;
    const bytes = this.#received;
    for (; this.state === "more" && at < bytes.length; ) {
      const type = bytes[at]!;
      if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA || (at + 1 < bytes.length && bytes[at + 1] !== 3)) {
        this.state = this.hello === null ? "stranger" : "bad";
        return;
      }
      if (at + RECORD_HEADER > bytes.length) break;
      const length = bytes.readUInt16BE(at + 3);
      if (length > MAX_RECORD) throw new Unreadable();
      const start = at + RECORD_HEADER;
      if (start + length > bytes.length) break;
      this.#record(type, bytes.subarray(at, start), bytes.subarray(start, start + length));
      at = start + length;
    }
    this.#received = Buffer.from(bytes.subarray(at));
  }

  #record(type: number, header: Uint8Array, content: Uint8Array): void {
    if (type === CHANGE_CIPHER_SPEC) return;
    if (type !== APPLICATION_DATA) {
      this.longestRecord = Math.max(this.longestRecord, content.length);
      return this.#content(type, content);
    }
    if (this.#unseal === null) throw new Unreadable();
    const opened = this.#unseal(header, content);
    if (opened === null) throw new Unreadable();
    this.longestRecord = Math.max(this.longestRecord, content.length - TAG - 1);
    // RFC 8446 5.2: zeros for padding behind the type.
    let end = opened.length;
    while (end > 0 && opened[end - 1] === 0) end--;
    if (end === 0) throw new Unreadable();
    this.#content(opened[end - 1]!, opened.subarray(0, end - 1));
  }

  #content(type: number, content: Uint8Array): void {
    if (type === ALERT_RECORD) {
      if (content.length < 2) throw new Unreadable();
      // A warning, such as unrecognized_name of old servers, changes nothing; in TLS 1.3 all are the end (RFC 8446 6.2).
      if (content[0] === 1 && content[1] !== 0) return;
      this.state = "alert";
      this.alert = content[1]!;
      return;
    }
    if (type !== HANDSHAKE || content.length === 0) throw new Unreadable();
    this.#messages = Buffer.concat([this.#messages, content]);
    while (this.state === "more" && this.#messages.length >= MESSAGE_HEADER) {
      const end = MESSAGE_HEADER + this.#messages.readUIntBE(1, 3);
      if (end > MAX_FLIGHT) throw new Unreadable();
      if (end > this.#messages.length) return;
      const message = this.#messages.subarray(0, end);
      this.#messages = Buffer.from(this.#messages.subarray(end));
      this.#message(message[0]!, message);
    }
  }

  #message(type: number, message: Buffer): void {
    const body = new MessageReader(message, MESSAGE_HEADER, message.length);
    if (this.hello === null) {
      if (type !== MESSAGE.serverHello) throw new Unreadable();
      return this.#serverHello(body, message);
    }
    const is13 = this.hello.version === 0x0304;
    switch (type) {
      case MESSAGE.encryptedExtensions:
        return this.#extensions(body.vector(2));
      case MESSAGE.certificate:
        this.certificateBytes = message.length;
        return this.#certificates(body, is13);
      case MESSAGE.certificateStatus:
        this.stapled = true;
        return;
      case MESSAGE.serverKeyExchange:
        return this.#keyExchange(body);
      case MESSAGE.certificateRequest:
        return this.#certificateRequest(body, is13);
      case MESSAGE.certificateVerify:
        return;
      case MESSAGE.serverHelloDone:
      case MESSAGE.finished:
        this.state = "done";
        return;
      default:
        throw new Unreadable();
    }
  }

  #serverHello(body: MessageReader, message: Buffer): void {
    const legacy = body.uint(2);
    const random = body.take(32);
    body.vector(1); // the session's ID
    const suite = body.uint(2);
    body.uint(1); // compression
    let version = legacy;
    let share: ServerHello["share"] = null;
    const isRetry = RETRY.equals(random);
    const extensions = body.done ? null : body.vector(2);
    if (extensions !== null)
      this.#extensions(extensions, (type, value) => {
        if (type === EXTENSION.versions) version = value.uint(2);
        if (type === EXTENSION.keyShare)
          share = { group: value.uint(2), key: isRetry ? new Uint8Array() : value.vector(2).rest };
      });
    // Whatever else it may be, it is no version that was offered.
    if (version < 0x0301 || version > 0x0304) throw new Unreadable();
    const hello: ServerHello = { version, suite, share, isRetry, message };
    this.hello = hello;
    if (hello.share !== null) this.group = { kind: "group", number: hello.share.group };
    if (isRetry) this.state = "done";
    else if (version === 0x0304) {
      this.#unseal = this.#open(hello);
      if (this.#unseal === null) this.state = "done";
    }
  }

  #extensions(list: MessageReader, other: (type: number, value: MessageReader) => void = () => {}): void {
    while (!list.done) {
      const type = list.uint(2);
      const value = list.vector(2);
      switch (type) {
        case EXTENSION.alpn:
          this.alpn = Buffer.from(value.vector(2).vector(1).rest).toString("latin1");
          break;
        case EXTENSION.maxFragmentLength:
          this.fragmentLengthAgreed = true;
          break;
        case EXTENSION.recordSizeLimit:
          this.recordSizeLimitAgreed = true;
          break;
        default:
          other(type, value);
      }
    }
  }

  /** RFC 5246 7.4.2, RFC 8446 4.4.2. */
  #certificates(body: MessageReader, is13: boolean): void {
    if (is13) body.vector(1); // of a request, which there was none
    const list = body.vector(3);
    const certificates: Uint8Array[] = [];
    while (!list.done) {
      certificates.push(list.vector(3).rest);
      if (is13)
        this.#extensions(list.vector(2), (type) => {
          if (type === EXTENSION.statusRequest) this.stapled = true;
        });
    }
    this.certificates = certificates;
  }

  /** Of the parameters only which group it is: RFC 8422 5.4, RFC 5246 7.4.3. */
  #keyExchange(body: MessageReader): void {
    const { suite } = this.hello!;
    if (isDhe(suite)) {
      const prime = body.vector(2).rest;
      this.group = { kind: "dh", bits: prime.length === 0 ? 0 : prime.length * 8 - Math.clz32(prime[0]!) + 24 };
    } else if (body.uint(1) === 3) this.group = { kind: "group", number: body.uint(2) };
  }

  /** RFC 5246 7.4.4, RFC 8446 4.3.2. */
  #certificateRequest(body: MessageReader, is13: boolean): void {
    const authorities: Uint8Array[] = [];
    const names = (list: MessageReader): void => {
      while (!list.done) authorities.push(list.vector(2).rest);
    };
    body.vector(1);
    if (is13)
      this.#extensions(body.vector(2), (type, value) => {
        if (type === EXTENSION.authorities) names(value.vector(2));
      });
    else {
      if (this.hello!.version === 0x0303) body.vector(2);
      names(body.vector(2));
    }
    this.request = { authorities };
  }
}

/** Suites of ephemeral Diffie-Hellman over prime fields that a hello of ours offers. */
export function isDhe(suite: number): boolean {
  return [0x0033, 0x0039, 0x0067, 0x006b, 0x009e, 0x009f, 0xccaa].includes(suite);
}
