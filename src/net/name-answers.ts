// What DNS says of the names of servers, with how long it may be believed. Node's interface gives a time to live for addresses alone.

import { lookup, promises, type SrvRecord } from "node:dns";

export interface Reply<T> {
  readonly values: readonly T[];
  /** Milliseconds; null: it cannot be had. */
  readonly ttlMs: number | null;
}

/** One server of a service, as RFC 2782 has it. */
export interface Located {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly host: string;
}

/** Both reject with an error that has a `code` of the system's or of DNS. */
export interface NameAsks {
  addresses(host: string): Promise<Reply<string>>;
  located(name: string): Promise<Reply<Located>>;
}

/** When a question to the system's resolver is asked in another way too; when nobody is waited for any more; and how long for the time to live. */
const PATIENCE_MS = { again: 1000, none: 10_000, ttl: 500 } as const;
/** For each server of /etc/resolv.conf. */
const TRY = { timeout: 2000, tries: 2 } as const;

/** The hosts of SRV records come from DNS and get into logs and labels. */
const HOST = /^[\w-]{1,63}(\.[\w-]{1,63})*$/;
const MAX_HOST = 253;

const after = (ms: number) => new Promise<void>((done) => setTimeout(done, ms).unref());

/** Asks this machine's resolvers. A resolver reads /etc/resolv.conf when it is made, so each question has one of its own. */
export const SYSTEM_ASKS: NameAsks = { addresses: askAddresses, located: askLocated };

/** Every address of `host`, as the system's resolver has it: hosts file, DNS with its search domains, and whatever else there is. */
async function askAddresses(host: string): Promise<Reply<string>> {
  const system = new Promise<readonly string[]>((resolve, reject) =>
    lookup(host, { all: true, verbatim: true }, (error, found) =>
      error ? reject(error) : resolve(found.map(({ address }) => address)),
    ),
  );
  const records = askRecords(host);
  // It has waited long enough, or has failed: then what DNS itself says counts.
  const instead = Promise.race([after(PATIENCE_MS.again), system.catch(() => {})])
    .then(() => records)
    .then((found) => (found.size > 0 ? [...found.keys()] : Promise.reject(error("ENOTFOUND", host))));
  const values = await Promise.race([
    Promise.any([system, instead]).catch((both: AggregateError) => Promise.reject(both.errors[0])),
    after(PATIENCE_MS.none).then(() => Promise.reject(error("ETIMEOUT", host))),
  ]);
  const ttls = await Promise.race([records, after(PATIENCE_MS.ttl).then(() => NO_RECORDS)]);
  return { values, ttlMs: shortest(values, ttls) };
}

const NO_RECORDS: ReadonlyMap<string, number> = new Map();

function error(code: string, host: string): Error {
  return Object.assign(new Error(`${code} ${host}`), { code });
}

/** Addresses with their time to live in seconds; none where DNS does not know this name, as where it is in the hosts file. */
async function askRecords(host: string): Promise<ReadonlyMap<string, number>> {
  const resolver = new promises.Resolver(TRY);
  const found = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ]);
  const records = found.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
  return new Map(records.map(({ address, ttl }) => [address, ttl]));
}

/** null where an address has no record: then it is not by DNS that the system knows it. */
function shortest(values: readonly string[], ttls: ReadonlyMap<string, number>): number | null {
  let least = Number.POSITIVE_INFINITY;
  for (const address of values) {
    const ttl = ttls.get(address);
    if (ttl === undefined) return null;
    least = Math.min(least, ttl);
  }
  return Number.isFinite(least) ? least * 1000 : null;
}

/** The records of a name; those that cannot be used are left out. The target "." says that there is no such service (RFC 2782): then there are none. */
async function askLocated(name: string): Promise<Reply<Located>> {
  const records = await new promises.Resolver(TRY).resolveSrv(name);
  const values = records.map(locatedBy).filter((each) => each !== null);
  if (values.length === 0 && !records.every(({ name }) => name === "" || name === ".")) throw error("EBADRESP", name);
  return { values, ttlMs: null };
}

/** null: it names no host and port. */
export function locatedBy({ priority, weight, port, name }: SrvRecord): Located | null {
  const host = name.replace(/\.$/, "").toLowerCase();
  if (!HOST.test(host) || host.length > MAX_HOST || port < 1 || port > 65_535) return null;
  return { priority, weight, port, host };
}
