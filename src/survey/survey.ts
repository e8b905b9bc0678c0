// Looks at a TLS server from outside: finds its address, asks it one question per connection, and gathers what was seen. What it means is
// for findings.ts.

import { type Addresses, type Asked, addressesOf, type Place } from "../net/exchange.ts";
import { type Trial, tryHandshake } from "../net/handshake-trial.ts";
import { SHORTEST_FRAGMENT, TLS_VERSIONS, type TlsVersion } from "../wire/probe-hello.ts";
import type { ServerFlight } from "../wire/server-flight.ts";
import { type Answer, askTls, Patience, type Question, speaksPlainMqtt } from "./questions.ts";
import type { Kept, WithoutName } from "./report.ts";
import { isOfLibrary } from "./suites.ts";

export interface Target {
  /** In ASCII. */
  readonly host: string;
  readonly port: number;
  /** SNI; null sends none, as for an address. */
  readonly serverName: string | null;
}

export interface Credentials {
  /** PEM; null: the public authorities. */
  readonly ca: readonly string[] | null;
  readonly client: { readonly cert: string; readonly key: string } | null;
}

export interface VersionAnswer {
  readonly version: TlsVersion;
  readonly answer: Answer;
  readonly accepted: "yes" | "no" | "unclear";
}

/** Why there is nothing to look at. */
export type Unreached =
  | { readonly kind: "no-name"; readonly addresses: Exclude<Addresses, { kind: "ok" }>["kind"] }
  /** No address of it takes a connection. */
  | { readonly kind: "no-connection"; readonly tries: readonly { readonly address: string; readonly asked: Asked }[] }
  | { readonly kind: "plain-mqtt"; readonly address: string }
  /** It speaks something else, which begins with `first`; or it said nothing before it closed, or before the time was over. */
  | { readonly kind: "not-tls"; readonly address: string; readonly asked: Asked; readonly first: Buffer };

export interface Seen {
  readonly kind: "seen";
  readonly address: string;
  /** From 1.3 to 1.0; those that there was time for. */
  readonly versions: readonly VersionAnswer[];
  /** The answer with certificates that a client of today gets; null: none could be read. */
  readonly main: ServerFlight | null;
  /** The fatal alert to the first hello; 0: there was none. */
  readonly alert: number;
  /** It refuses clients that offer ALPN, with `mqtt` alone. */
  readonly refusesAlpn: boolean;
  readonly maxFragmentLength: Kept;
  readonly recordSizeLimit: Kept;
  readonly withoutName: WithoutName | null;
  readonly trial: Trial | null;
  readonly isOutOfTime: boolean;
}

const ALPN = ["mqtt"];
const NO_APPLICATION_PROTOCOL = 120;

/** `timeoutMs` bounds it all. Nothing throws. */
export async function survey(target: Target, credentials: Credentials, timeoutMs: number): Promise<Seen | Unreached> {
  const patience = new Patience(timeoutMs);
  const found = await addressesOf(target.host, patience.next);
  if (found.kind !== "ok") return { kind: "no-name", addresses: found.kind };
  const tries: { address: string; asked: Asked }[] = [];
  for (const address of found.addresses) {
    const place = { address, port: target.port };
    const first = await askTls(place, { version: "1.2", serverName: target.serverName, alpn: ALPN }, patience);
    if (isOpen(first.asked)) return look(place, target, credentials, first, patience);
    tries.push({ address, asked: first.asked });
  }
  return { kind: "no-connection", tries };
}

function isOpen(asked: Asked): boolean {
  return asked === "done" || asked === "closed" || asked === "reset" || asked === "silent";
}

async function look(
  place: Place,
  { serverName }: Target,
  { ca, client }: Credentials,
  first: Answer,
  patience: Patience,
): Promise<Seen | Unreached> {
  const refusesAlpn = first.flight.state === "alert" && first.flight.alert === NO_APPLICATION_PROTOCOL;
  const usual = { serverName, alpn: refusesAlpn ? [] : ALPN };
  const asking = (question: Pick<Question, "version"> & Partial<Question>) =>
    askTls(place, { ...usual, ...question }, patience);
  const answers = new Map<TlsVersion, Answer>([["1.2", refusesAlpn ? await asking({ version: "1.2" }) : first]]);
  answers.set("1.3", await asking({ version: "1.3" }));
  if (![...answers.values()].some(isTls)) {
    if (await speaksPlainMqtt(place, patience)) return { kind: "plain-mqtt", address: place.address };
    return { kind: "not-tls", address: place.address, asked: first.asked, first: first.flight.first };
  }
  for (const version of ["1.1", "1.0"] as const) if (!patience.isOver) answers.set(version, await asking({ version }));
  const versions = (["1.3", "1.2", "1.1", "1.0"] as const).flatMap((version): VersionAnswer[] => {
    const answer = answers.get(version);
    return answer === undefined ? [] : [{ version, answer, accepted: isAccepted(version, answer) }];
  });
  const readable = versions.find(({ answer }) => answer.flight.certificates.length > 0);
  const main = readable?.answer.flight ?? null;
  let maxFragmentLength: Kept = "unknown";
  let recordSizeLimit: Kept = "unknown";
  let withoutName: WithoutName | null = null;
  let trial: Trial | null = null;
  if (readable !== undefined && main !== null) {
    // The oldest question first: max_fragment_length is what devices of TLS 1.2 know.
    const { version } = readable;
    const old = answers.get("1.2")!.flight.certificates.length > 0 ? "1.2" : version;
    if (!patience.isOver)
      maxFragmentLength = kept(answers.get(old)!.flight, (await asking({ version: old, shortFragments: true })).flight);
    if (!patience.isOver)
      recordSizeLimit = kept(main, (await asking({ version, recordSizeLimit: SHORTEST_FRAGMENT.bytes })).flight);
    if (serverName !== null && !patience.isOver)
      withoutName = comparison(main, await asking({ version, serverName: null }));
    const options = { ...usual, ca, client };
    // Where the library does not have what the server speaks, it would say nothing about other clients.
    const hasIt = isOfLibrary(main.hello!.suite) && main.hello!.version >= TLS_VERSIONS["1.2"];
    if (!patience.isOver && hasIt) trial = await tryHandshake(place, options, patience.next);
  }
  return {
    kind: "seen",
    address: place.address,
    versions,
    main,
    alert: first.flight.state === "alert" ? first.flight.alert : 0,
    refusesAlpn,
    maxFragmentLength,
    recordSizeLimit,
    withoutName,
    trial,
    isOutOfTime: patience.isOver,
  };
}

function isTls({ flight }: Answer): boolean {
  return flight.hello !== null || flight.state === "alert";
}

function isAccepted(version: TlsVersion, { flight }: Answer): VersionAnswer["accepted"] {
  if (flight.hello !== null && flight.state !== "alert")
    return flight.hello.version === TLS_VERSIONS[version] ? "yes" : "no";
  return flight.state === "alert" ? "no" : "unclear";
}

/** Whether the answer to a question for short records has such, beside the answer to the same question without that. */
function kept(usual: ServerFlight, asked: ServerFlight): Kept {
  if (asked.state !== "done" || asked.certificateBytes === 0) return "no";
  if (asked.longestRecord > SHORTEST_FRAGMENT.bytes) return "no";
  const agreed = asked.fragmentLengthAgreed || asked.recordSizeLimitAgreed;
  return agreed || usual.longestRecord > SHORTEST_FRAGMENT.bytes ? "yes" : "unknown";
}

function comparison(main: ServerFlight, { flight }: Answer): WithoutName {
  if (flight.state === "alert") return "refused";
  const [leaf] = flight.certificates;
  if (leaf === undefined) return flight.state === "done" ? "unknown" : "refused";
  return Buffer.compare(leaf, main.certificates[0]!) === 0 ? "same" : "other";
}
