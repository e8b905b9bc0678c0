// Servers of which DNS says where they are, as servers that can be dialled. The order is the same whatever the order of the answers.

import { formatHostPort } from "../config/scalars.ts";
import type { Located } from "../net/name-answers.ts";
import type { AddressFamilies, Server } from "../upstream/service.ts";

/** What has been answered last; undefined: nothing yet. Addresses and records are in their order. */
export interface NameAnswers {
  addresses(host: string): readonly string[] | undefined;
  located(name: string): readonly Located[] | undefined;
}

/** What is to be asked, of a name. */
export interface NameQuestion {
  readonly kind: "addresses" | "located";
  readonly name: string;
}

/** The questions on which these servers depend; some come up only with the answers to others. */
export function questionsOf(servers: readonly Server[], answers: NameAnswers): NameQuestion[] {
  return servers.flatMap(({ host, discover }): NameQuestion[] => {
    if (discover === undefined) return [];
    if (discover.kind === "addresses") return [{ kind: "addresses", name: host }];
    const hosts = discover.families === null ? [] : (answers.located(host) ?? []);
    return [
      { kind: "located", name: host },
      ...hosts.map(({ host }): NameQuestion => ({ kind: "addresses", name: host })),
    ];
  });
}

/** Servers in place of names. One that two names have, or that is listed beside them, is there once. */
export function discovered(servers: readonly Server[], answers: NameAnswers): Server[] {
  const listed = new Set(servers.filter(({ discover }) => discover === undefined).map(({ address }) => address));
  return servers.flatMap((server) => {
    const { discover, ...plain } = server;
    if (discover === undefined) return [server];
    const made =
      discover.kind === "addresses"
        ? atAddresses(plain, discover.families, answers)
        : (answers.located(server.host) ?? NONE).flatMap((record, _, records) => {
            const found = atRecord(plain, record, records);
            return discover.families === null ? [found] : atAddresses(found, discover.families, answers);
          });
    return made.filter(({ address }) => !listed.has(address) && listed.add(address));
  });
}

const NONE: readonly never[] = [];

/** As long as no address is known, the name itself is dialled: it may resolve by then, and if not, it is said why. */
function atAddresses(server: Server, families: AddressFamilies, answers: NameAnswers): Server[] {
  const addresses = answers.addresses(server.host);
  if (addresses === undefined) return [server];
  return addresses
    .filter((address) => families === "all" || address.includes(":") === (families === "ipv6"))
    .map((address) => ({
      ...server,
      address: formatHostPort(address, server.port),
      host: address,
      ...(server.tls && { name: server.name ?? server.host }),
    }));
}

/** The lowest priority number is served first (RFC 2782); weights are brought down to their ratio, and 0 counts as 1. Where the configuration says 0, none is used. */
function atRecord(server: Server, { host, port, priority, weight: share }: Located, all: readonly Located[]): Server {
  const { weight, ...rest } = server;
  const equals = all.filter((each) => each.priority === priority);
  const own =
    weight === 0 ? 0 : Math.max(1, share) / equals.map((each) => Math.max(1, each.weight)).reduce(greatestDivisor);
  return {
    ...rest,
    ...{ address: formatHostPort(host, port), host, port },
    ...(own !== 1 && { weight: own }),
    ...(priority > all[0]!.priority && { backup: true }),
  };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
