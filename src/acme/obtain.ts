// Obtains one certificate: order, prove each name by a challenge, hand in a request, download (RFC 8555 7.4).

import { loadPair, ownCertificates } from "../certs/pem.ts";
import type { AcmeClient, Authorization, Challenge, Order } from "./client.ts";
import { type AcmeKeyType, createRequest } from "./keys.ts";
import { AcmeError, describe } from "./problem.ts";

export type ChallengeType = "tls-alpn-01" | "http-01" | "dns-01";

/** Answers challenges of one type. */
export interface Responder {
  readonly type: ChallengeType;
  /** How long the authority may take to look. Milliseconds. */
  readonly patienceMs: number;
  /** Has the answer in place when it resolves; what it resolves to takes it away again. @throws an Error that says why not. */
  present(name: string, token: string, keyAuthorization: string): Promise<() => Promise<void>>;
}

export interface ObtainOptions {
  readonly keyType: AcmeKeyType;
  readonly profile: string | null;
  /** Common name of the issuer of a chain's last certificate; of several chains the first one with it is taken. */
  readonly preferredChain: string | null;
  /** RFC 9773's identifier of the certificate that is renewed. */
  readonly replaces: string | null;
  /** Told what is going on, for the log. */
  readonly note: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface Obtained {
  /** PEM, leaf first. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly key: string;
}

/** How long the authority may take to issue after everything is proved. Milliseconds. */
const ISSUE_PATIENCE_MS = 90_000;
const FIRST_POLL_MS = 250;
const LONGEST_POLL_MS = 5000;
/** Alternate chains that are looked at. */
const MAX_ALTERNATES = 8;

/**
 * Responders are tried in their order, the first that the authority offers first; when a challenge fails, the order is lost with it
 * (RFC 8555 7.1.6), and a new one tries the next responder for that name.
 * @throws AcmeError
 */
export async function obtain(
  client: AcmeClient,
  names: readonly string[],
  responders: readonly Responder[],
  options: ObtainOptions,
): Promise<Obtained> {
  /** By name: the responders that are still worth a try. */
  const left = new Map<string, readonly Responder[]>();
  const wanted = new Set(names);
  for (;;) {
    const order = await place(client, names, options);
    const failed = await proveAll(client, order, wanted, responders, left, options.note);
    if (failed === null) return await issue(client, order, names, options);
    if (left.get(failed.name)!.length === 0) throw failed.error;
    options.note("a challenge failed, trying the next kind", { name: failed.name, reason: failed.error.message });
  }
}

/** An order that says which certificate it replaces, or one that does not where the authority will not have that (RFC 9773 5). */
async function place(client: AcmeClient, names: readonly string[], options: ObtainOptions): Promise<Order> {
  const profile = options.profile === null ? {} : { profile: options.profile };
  if (options.replaces === null) return await client.order(names, profile);
  try {
    return await client.order(names, { ...profile, replaces: options.replaces });
  } catch (error) {
    if (error instanceof AcmeError && ["rateLimited", "unreachable"].includes(error.kind)) throw error;
    return await client.order(names, profile);
  }
}

/** null when every name of the order is proved. */
async function proveAll(
  client: AcmeClient,
  order: Order,
  wanted: ReadonlySet<string>,
  responders: readonly Responder[],
  left: Map<string, readonly Responder[]>,
  note: ObtainOptions["note"],
): Promise<{ name: string; error: AcmeError } | null> {
  for (const url of order.authorizations) {
    const authorization = await client.authorization(url);
    if (authorization.status === "valid") continue;
    const name = `${authorization.wildcard ? "*." : ""}${authorization.identifier.value}`;
    if (!wanted.has(name)) throw new AcmeError("odd-answer", "the authority wants a name proved that was not ordered");
    const offered = new Map(authorization.challenges.map((challenge) => [challenge.type, challenge]));
    const able = (left.get(name) ?? responders).filter((responder) => offered.has(responder.type));
    const [responder, ...rest] = able;
    if (responder === undefined) {
      const types = [...offered.keys()].join(", ");
      throw new AcmeError(
        "no-challenge",
        `${name}: the authority offers ${types || "no challenge"}, and none of them is configured`,
      );
    }
    note("answering a challenge", { name, challenge: responder.type });
    const error = await prove(client, url, authorization, responder, offered.get(responder.type)!);
    if (error === null) continue;
    left.set(name, rest);
    return { name, error };
  }
  return null;
}

async function prove(
  client: AcmeClient,
  url: string,
  { identifier }: Authorization,
  responder: Responder,
  challenge: Challenge,
): Promise<AcmeError | null> {
  const name = identifier.value;
  let remove: () => Promise<void>;
  try {
    remove = await responder.present(name, challenge.token, client.keyAuthorization(challenge.token));
  } catch (error) {
    return new AcmeError("challenge", `${name}, ${responder.type}: ${(error as Error).message}`);
  }
  try {
    try {
      await client.answer(challenge);
    } catch (error) {
      if (!(error instanceof AcmeError) || ["rateLimited", "unreachable"].includes(error.kind)) throw error;
      return new AcmeError("challenge", `${name}, ${responder.type}: ${error.message}`);
    }
    const done = await poll(responder.patienceMs, async () => {
      const authorization = await client.authorization(url);
      return { value: authorization, done: authorization.status !== "pending", retryAfterMs: null };
    });
    if (done.status === "valid") return null;
    const answered = done.challenges.find((each) => each.url === challenge.url);
    const why =
      done.status === "pending"
        ? `the authority has not looked within ${responder.patienceMs / 1000} s`
        : describe(answered?.error) || `the authority calls it ${done.status}`;
    return new AcmeError("challenge", `${name}, ${responder.type}: ${why}`);
  } finally {
    await remove().catch(() => {});
  }
}

async function issue(
  client: AcmeClient,
  order: Order,
  names: readonly string[],
  options: ObtainOptions,
): Promise<Obtained> {
  const ready = await settle(client, order.url, (status) => status !== "pending");
  if (ready.status === "invalid")
    throw new AcmeError("order", describe(ready.error) || "the authority calls the order invalid");
  const request = await createRequest(names, options.keyType);
  await client.finalize(order, request.der);
  const done = await settle(client, order.url, (status) => status === "valid" || status === "invalid");
  if (done.status !== "valid" || done.certificate === undefined)
    throw new AcmeError("order", describe(done.error) || `the authority leaves the order ${done.status}`);
  const certificate = await download(client, done.certificate, options.preferredChain);
  const loaded = loadPair(certificate, request.key);
  if (loaded.kind === "error")
    throw new AcmeError("odd-answer", `what the authority issued cannot be used: ${loaded.message}`);
  if (loaded.facts.notAfter <= Date.now())
    throw new AcmeError("odd-answer", "what the authority issued has expired already: is this machine's clock right?");
  const missing = names.find((name) => !loaded.pair.names.includes(name));
  if (missing !== undefined) throw new AcmeError("odd-answer", `what the authority issued is not for ${missing}`);
  return { certificate, key: request.key };
}

async function settle(client: AcmeClient, url: string, done: (status: Order["status"]) => boolean): Promise<Order> {
  return await poll(ISSUE_PATIENCE_MS, async () => {
    const { order, retryAfterMs } = await client.orderAt(url);
    return { value: order, done: done(order.status), retryAfterMs };
  });
}

async function download(client: AcmeClient, url: string, preferred: string | null): Promise<string> {
  const first = await client.certificate(url);
  if (preferred === null) return first.pem;
  const chains = [first.pem];
  for (const alternate of first.alternates.slice(0, MAX_ALTERNATES))
    chains.push((await client.certificate(alternate)).pem);
  return chains.find((pem) => endsWith(pem, preferred)) ?? first.pem;
}

/** Whether the chain's last certificate was issued by, or is, the authority of this common name. */
function endsWith(pem: string, commonName: string): boolean {
  try {
    return ownCertificates(pem).at(-1)?.issuer.split("\n").includes(`CN=${commonName}`) === true;
  } catch {
    return false;
  }
}

/** Looks again and again, less and less often, until it is done or the time is over; resolves to what was seen last. */
async function poll<T>(
  patienceMs: number,
  look: () => Promise<{ value: T; done: boolean; retryAfterMs: number | null }>,
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (let wait = FIRST_POLL_MS; ; wait = Math.min(LONGEST_POLL_MS, wait * 1.5)) {
    const { value, done, retryAfterMs } = await look();
    if (done || performance.now() >= end) return value;
    const pause = Math.min(Math.max(wait, retryAfterMs ?? 0), end - performance.now());
    await new Promise((next) => setTimeout(next, Math.max(0, pause)));
  }
}
