// Admission: how many may come to an entry point and how fast, in all and of one address. What is not limited costs nothing.

import type { Counts } from "../admission/counts.ts";
import { InOrder, type PlaceHeld } from "../admission/in-order.ts";
import { addressKey, type Key } from "../admission/keys.ts";
import { Moments } from "../admission/moments.ts";
import type { Newcomers } from "../admission/newcomers.ts";
import type { Rates } from "../admission/rates.ts";
import type { AdmissionReject } from "../admission/reject.ts";
import { MAX_ENTRIES, type Tables } from "../admission/tables.ts";
import { Waits } from "../admission/waits.ts";
import { type Network, networkHolds, parseAddress, parseNetwork } from "../ip/address.ts";
import type { AdmissionSettings, RateSettings } from "../protocol/messages.ts";

/** A connection that can make room for another one. */
export interface Yielding {
  giveWay(): void;
}

/** A connection as admission knows it. */
export interface Applicant extends Yielding {
  /** null: only a balancer's address is known, which never counts. */
  readonly addressKey: Key | null;
  /** Keeps a place until it ends. */
  stay(place: PlaceHeld): void;
}

/** A place in a handshake, or among those who wait for one. */
export interface HandshakePlace extends PlaceHeld {
  /** It waits because its own address has as many under way as it may. */
  readonly waitsForOwn: boolean;
}

export type Admitted =
  /** After so many milliseconds; 0: now. */
  | { readonly kind: "wait"; readonly ms: number; readonly reason: AdmissionReject }
  | { readonly kind: "refuse"; readonly reason: AdmissionReject };

const NOW: Admitted = { kind: "wait", ms: 0, reason: "entry-point-full" };
/** The key of all addresses together. */
const ALL: Key = "*";
/** How many may make room for one: some of them may have no place to give. */
const MAX_TRIES = 4;
/** How often those who wait for a place look whether other workers have given some back. */
const LOOK_MS = 100;

export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #trusted: readonly Network[];
  readonly #clock: () => number;
  readonly #all: Counts | null;
  readonly #ofAddress: Counts | null;
  readonly #rate: Rates | null;
  readonly #handshakes: Rates | null;
  readonly #handshakesOfAddress: Rates | null;
  readonly #underWay: InOrder | null;
  readonly #underWayOfAddress: InOrder | null;
  /** Whose the next handshakes are, where all together have a rate. */
  readonly #moments = new Moments();
  /** Between two of them in this worker, while clients wait. Milliseconds. */
  readonly #momentMs: number;
  #isLooking = false;
  /** Who waits for a rate. */
  readonly waits = new Waits();
  /** Who is closed a little later. */
  readonly dismissals = new Waits();
  readonly maxSilent: number;

  /** `maxConnections` is what the worker may have. */
  constructor(name: string, settings: AdmissionSettings, maxConnections: number, tables: Tables) {
    const { handshakes } = settings;
    const table = (what: string) => `entry point ${name}: ${what}`;
    const counts = (what: string, limit: number | null) =>
      limit === null ? null : tables.counts(table(what), { limit, maxEntries: MAX_ENTRIES });
    const rates = (what: string, rate: RateSettings | null) =>
      rate === null
        ? null
        : tables.rates(table(what), {
            intervalMs: 1000 / rate.perSecond,
            burst: rate.burst,
            maxEntries: MAX_ENTRIES,
          });
    const inOrder = (of: Counts | null) => (of === null ? null : new InOrder(of));
    this.#settings = settings;
    this.#clock = () => tables.now();
    this.#trusted = settings.trustedIPs.map(parseNetwork).filter((network) => network !== null);
    this.maxSilent = settings.silent ?? Math.max(16, Math.floor(maxConnections / 4));
    this.#all = counts("connections", settings.maxConnections);
    this.#ofAddress = counts("connections of addresses", settings.connections);
    this.#rate = rates("connection rates of addresses", settings.rate);
    this.#handshakes = rates("handshake rate", handshakes.rate);
    this.#momentMs = handshakes.rate === null ? 0 : (1000 / handshakes.rate.perSecond) * tables.workers;
    this.#handshakesOfAddress = rates("handshake rates of addresses", handshakes.rateOfAddress);
    this.#underWay = inOrder(counts("handshakes", handshakes.concurrent));
    this.#underWayOfAddress = inOrder(counts("handshakes of addresses", handshakes.concurrentOfAddress));
  }

  /** Who waits, for whatever limit. */
  get waiting(): number {
    return this.waits.size - (this.#isLooking ? 1 : 0) + this.#queued;
  }

  /** Who waits for a place in a handshake. */
  get #queued(): number {
    return (this.#underWay?.size ?? 0) + (this.#underWayOfAddress?.size ?? 0);
  }

  get maxWaitMs(): number {
    return this.#settings.maxWaitMs;
  }

  /** What an address counts by, and whether it is one that is not asked. */
  look(address: string): { readonly key: Key; readonly isExempt: boolean } {
    const bytes = parseAddress(address);
    const isExempt = bytes !== null && this.#trusted.some((network) => networkHolds(network, bytes, 0, bytes.length));
    return { key: addressKey(bytes, this.#settings.ipv4Prefix, this.#settings.ipv6Prefix), isExempt };
  }

  /** Asked once the client's address is known, with nothing read of it. */
  enter(applicant: Applicant, newcomers: Newcomers<Yielding>): Admitted {
    const { addressKey: key } = applicant;
    if (this.#all !== null && !take(this.#all, ALL, applicant, () => newcomers.first()))
      return { kind: "refuse", reason: "entry-point-full" };
    if (key === null) return NOW;
    if (this.#ofAddress !== null && !take(this.#ofAddress, key, applicant, () => newcomers.firstOf(key)))
      return { kind: "refuse", reason: "address-full" };
    return this.#rate === null ? NOW : this.#await(this.#rate, key, "address-too-fast");
  }

  /**
   * Asked before a handshake. What is passed through, and what is plain, has none. Of the rate of all together nobody has more moments before
   * him than are free: one address leaves half of them to others, two leave a third, nine a tenth.
   */
  beforeHandshake(key: Key | null): Admitted {
    const own =
      key === null || this.#handshakesOfAddress === null
        ? NOW
        : this.#await(this.#handshakesOfAddress, key, "address-too-many-handshakes");
    if (own.kind === "refuse" || this.#handshakes === null) return own;
    const now = this.#clock();
    const before = key === null ? 0 : this.#moments.of(key, now) * this.#momentMs;
    const all = this.#await(
      this.#handshakes,
      ALL,
      "too-many-handshakes",
      Math.max(0, this.#settings.maxWaitMs - before),
    );
    if (key !== null && all.kind === "wait" && all.ms > 0) this.#moments.add(key, now + all.ms);
    return all.kind === "refuse" || all.ms > own.ms ? all : own;
  }

  /**
   * Calls `go` when a handshake may begin, which may be within this call. What is returned is given back when it is over, or when nobody
   * waits for it any more; null: nothing is limited, and `go` was called.
   */
  beginHandshake(key: Key | null, go: () => void): HandshakePlace | null {
    const [ofAddress, all] = [key === null ? null : this.#underWayOfAddress, this.#underWay];
    if (ofAddress === null && all === null) {
      go();
      return null;
    }
    const held: PlaceHeld[] = [];
    let [isOver, waitsForOwn] = [false, ofAddress !== null];
    const intoAll = () => {
      waitsForOwn = false;
      if (isOver) return;
      if (all === null) go();
      else held.push(all.enter(ALL, go));
    };
    if (ofAddress === null || key === null) intoAll();
    else held.push(ofAddress.enter(key, intoAll));
    this.#lookLater();
    return {
      get waitsForOwn() {
        return waitsForOwn;
      },
      release: () => {
        isOver = true;
        for (const place of held.splice(0)) place.release();
      },
    };
  }

  #await(rates: Rates, key: Key, reason: AdmissionReject, maxWaitMs = this.#settings.maxWaitMs): Admitted {
    const ms = rates.take(key, this.#clock(), maxWaitMs);
    if (ms === 0) return NOW;
    return ms === Number.POSITIVE_INFINITY ? { kind: "refuse", reason } : { kind: "wait", ms, reason };
  }

  /** A place that another worker gives back is told to nobody who waits here. */
  #lookLater(): void {
    if (this.#isLooking || this.#queued === 0) return;
    this.#isLooking = true;
    this.waits.add(LOOK_MS, () => {
      this.#isLooking = false;
      this.#underWayOfAddress?.look();
      this.#underWay?.look();
      this.#lookLater();
    });
  }
}

/** False: there is no place, and nobody makes room but the one who comes. */
function take(counts: Counts, key: Key, applicant: Applicant, first: () => { readonly who: Yielding } | null): boolean {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const place = counts.take(key);
    if (place !== null) {
      applicant.stay(place);
      return true;
    }
    const other = first()?.who ?? null;
    if (other === null || other === applicant) return false;
    other.giveWay();
  }
  return false;
}
