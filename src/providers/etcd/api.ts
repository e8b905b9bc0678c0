// etcd's API (v3, gRPC). Its JSON gateway would need no library, but refuses every client whose certificate has a common name when etcd
// asks for certificates; and etcd3, the library for all of it, has not been kept for years.

import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { type CallOptions, Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Type } from "protobufjs/light";
import { printable } from "../../text/printable.ts";
import { readTls, type StoreTls } from "../store-tls.ts";
import { AUTHENTICATE, type Method, WATCH } from "./messages.ts";

export interface EtcdOptions {
  /** host:port, one for each member that may be asked. */
  readonly endpoints: readonly string[];
  readonly rootKey: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: StoreTls | undefined;
}

const TIMEOUT_MS = 5000;
/** 10 000 keys in an answer, some of them with PEM in them. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_MESSAGE = 300;

export class EtcdApi {
  readonly #options: EtcdOptions;
  readonly #user: { readonly name: string; readonly password: string } | null;
  /** Of `endpoints`. */
  #at = 0;
  #client: Client | null = null;
  #token: string | null = null;

  constructor(options: EtcdOptions) {
    this.#options = options;
    const { username, password } = options;
    this.#user = username === undefined || username === "" ? null : { name: username, password: password ?? "" };
  }

  /** One request with one answer. @throws when the store cannot be reached or refuses; the message is for an operator. */
  async call<T>(method: Method, request: object, signal: AbortSignal): Promise<T> {
    return this.#anywhere(async () => {
      await this.#authenticate(signal);
      return this.#unary<T>(method, request, signal);
    }, signal);
  }

  /**
   * Watches as `create` says until `signal` is aborted; each answer goes to `take`, and the watch ends when that returns false.
   * @throws as `call`, and when the store ends the watch.
   */
  async watch<T>(create: object, take: (answer: T) => boolean, signal: AbortSignal): Promise<void> {
    await this.#anywhere(async () => {
      await this.#authenticate(signal);
      await this.#stream(create, take, signal);
    }, signal);
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  /** At the endpoint that answered last, else at each other one. */
  async #anywhere<T>(run: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { endpoints } = this.#options;
    const failures: string[] = [];
    let tokens = 1;
    while (failures.length < endpoints.length) {
      const endpoint = endpoints[this.#at]!;
      try {
        return await run();
      } catch (error) {
        if (signal.aborted) throw error;
        const { code, details, message } = error as Partial<ServiceError> & Error;
        const hadToken = this.#token !== null;
        this.#token = null;
        // Tokens end after some minutes without use, and with the member that gave them.
        if (code === status.UNAUTHENTICATED && hadToken && tokens-- > 0) continue;
        failures.push(`${endpoint}: ${inWords(code, details ?? message, this.#options)}`);
        // What else a member refuses the others would refuse too.
        const isAway = code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED;
        this.close();
        if (!isAway) break;
        this.#at = (this.#at + 1) % endpoints.length;
      }
    }
    throw new Error(failures.join("; "));
  }

  async #authenticate(signal: AbortSignal): Promise<void> {
    if (this.#user === null || this.#token !== null) return;
    this.#token = (await this.#unary<{ token: string }>(AUTHENTICATE, this.#user, signal)).token;
  }

  #unary<T>(method: Method, request: object, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const { path, answer } = method;
      const options: CallOptions = { deadline: Date.now() + TIMEOUT_MS };
      const done = (error: ServiceError | null, value?: unknown) => {
        signal.removeEventListener("abort", abort);
        if (error === null) resolve(value as T);
        else reject(error);
      };
      const call = this.#connected.makeUnaryRequest(
        path,
        encoder(method.request),
        decoder(answer),
        request,
        this.#metadata(),
        options,
        done,
      );
      const abort = () => call.cancel();
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    });
  }

  #stream<T>(create: object, take: (answer: T) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const metadata = this.#metadata();
      // A member that has lost the others would keep silent for ever; so it ends the watch.
      metadata.set("hasleader", "true");
      const call = this.#connected.makeBidiStreamRequest(
        WATCH.path,
        encoder(WATCH.request),
        decoder(WATCH.answer),
        metadata,
      );
      const abort = () => call.cancel();
      const done = (error: Error | null) => {
        signal.removeEventListener("abort", abort);
        if (error === null) resolve();
        else reject(error);
      };
      call.on("data", (answer: T) => {
        try {
          if (take(answer)) return;
          done(null);
        } catch (error) {
          done(error as Error);
        }
        call.cancel();
      });
      call.on("error", done);
      call.on("end", () => done(new Error("the store has ended the watch")));
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
      else call.write({ createRequest: create });
    });
  }

  get #connected(): Client {
    const { endpoints, tls } = this.#options;
    const endpoint = endpoints[this.#at]!;
    this.#client ??= new Client(endpoint, credentialsOf(tls, hostOf(endpoint)), {
      "grpc.max_receive_message_length": MAX_BYTES,
      // In the common pool connections outlive their clients.
      "grpc.use_local_subchannel_pool": 1,
      // The library would ask for the address as a server name, which TLS does not allow.
      ...(isIP(hostOf(endpoint)) > 0 && { "grpc.ssl_target_name_override": "etcd" }),
    });
    return this.#client;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== null) metadata.set("token", this.#token);
    return metadata;
  }
}

function credentialsOf(tls: StoreTls | undefined, host: string) {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, cert, key } = readTls(tls);
  const bytes = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem));
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert), {
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
}

/** Of host:port; an IPv6 address without its brackets. */
function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
}

const encoder = (type: Type) => (message: object) => Buffer.from(type.encode(message).finish());
const decoder = (type: Type) => (bytes: Buffer) => type.decode(bytes);

/** What grpc-js puts around the reason why it cannot connect. */
const WRAPPING = /^No connection established\. Last error: |(?: \([^()]*Z\))?\. Resolution note:.*$/g;

function inWords(code: status | undefined, details: string, { rootKey, tls }: EtcdOptions): string {
  if (code === status.DEADLINE_EXCEEDED) return `no answer within ${TIMEOUT_MS / 1000} s`;
  if (code === status.PERMISSION_DENIED) return `permission denied: the user must be allowed to read ${rootKey}/`;
  if (details.includes("ECONNREFUSED")) return "the connection is refused";
  const line = printable(details.replaceAll("\n", " ").replace(WRAPPING, ""));
  if (line === "Failed to connect" && tls === undefined) return "no connection: does it want TLS (providers.etcd.tls)?";
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}...` : line;
}

/** The keys that begin with `prefix`, which ends in a slash: as the first, and the one behind the last. */
export function rangeOf(prefix: string): { key: Buffer; rangeEnd: Buffer } {
  // "0" comes after "/".
  return { key: Buffer.from(prefix), rangeEnd: Buffer.from(`${prefix.slice(0, -1)}0`) };
}
