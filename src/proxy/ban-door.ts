// The bans of one entry point in a worker: who is refused at accept, and whose failures the master is told of. The master counts, and decides.

import { addressKey, type Key } from "../admission/keys.ts";
import { parseAddress } from "../ip/address.ts";
import { NetworkSet } from "../ip/network-set.ts";
import type { BanSettings, EntryPointSettings, FromWorker } from "../protocol/messages.ts";
import { Batch } from "../protocol/shares.ts";
import { ProxyProtocolIn } from "./proxy-protocol-in.ts";
import type { Reason } from "./reasons.ts";
import type { ConnectionRecord } from "./record.ts";

type Failure = Extract<FromWorker, { type: "failures" }>["failures"][number];

/** Addresses in one message. */
const PART = 1000;
/** Addresses and reasons that wait to be told: what comes beyond that within a moment counts for nobody. */
const MAX_WAITING = 20_000;

export class BanDoor {
  readonly #entryPoint: string;
  readonly #settings: BanSettings;
  readonly #reasons: ReadonlySet<string>;
  readonly #trusted: NetworkSet;
  /** null: no PROXY header is read. */
  readonly #balancers: ProxyProtocolIn | null;
  readonly #banned = new Set<Key>();
  readonly #waiting = new Map<string, Failure>();
  readonly #tell: (failures: readonly Failure[]) => void;
  readonly #batch = new Batch(() => this.#flush());

  /** `tell` tells the master. */
  constructor(
    { name, proxyProtocol }: Pick<EntryPointSettings, "name" | "proxyProtocol">,
    settings: BanSettings,
    tell: (failures: readonly Failure[]) => void,
  ) {
    this.#entryPoint = name;
    this.#settings = settings;
    this.#reasons = new Set(settings.reasons);
    this.#trusted = NetworkSet.read(settings.trustedIPs);
    this.#balancers = proxyProtocol === null ? null : new ProxyProtocolIn(proxyProtocol);
    this.#tell = tell;
  }

  /** Nobody is banned. */
  get isEmpty(): boolean {
    return this.#banned.size === 0;
  }

  put(key: Key): void {
    this.#banned.add(key);
  }

  drop(key: Key): void {
    this.#banned.delete(key);
  }

  /** Whether a client of this address is refused. */
  refuses(address: string): boolean {
    return !this.isEmpty && this.#banned.has(this.#keyOf(address)) && !this.#trusted.holds(address);
  }

  /** The same of who is really connected: that may be a balancer, whose clients are asked about later. */
  refusesPeer(address: string): boolean {
    return !this.isEmpty && !(this.#balancers?.trusts(address) ?? false) && this.refuses(address);
  }

  /** A connection has ended so. */
  note({ clientAddress, balancer, cause }: ConnectionRecord, reason: Reason): void {
    if (!this.#reasons.has(reason) || clientAddress === "") return;
    // A client that does not trust our certificate, or has only looked, has done nothing wrong.
    if (reason === "handshake-failed" && (cause === "client-gone" || cause.startsWith("alert-"))) return;
    // A balancer without a header speaks for itself, and all clients come by it.
    if (balancer === "" && this.#balancers?.trusts(clientAddress)) return;
    if (this.#trusted.holds(clientAddress)) return;
    const key = this.#keyOf(clientAddress);
    const id = `${reason} ${key}`;
    const known = this.#waiting.get(id);
    if (known === undefined && this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(id, [this.#entryPoint, key, reason, (known?.[3] ?? 0) + 1]);
    this.#batch.note();
  }

  #keyOf(address: string): Key {
    const { ipv4Prefix, ipv6Prefix } = this.#settings;
    return addressKey(parseAddress(address), ipv4Prefix, ipv6Prefix);
  }

  #flush(): void {
    const failures = [...this.#waiting.values()];
    this.#waiting.clear();
    for (let at = 0; at < failures.length; at += PART) this.#tell(failures.slice(at, at + PART));
  }
}
