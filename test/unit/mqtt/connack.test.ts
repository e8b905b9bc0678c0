// The CONNACKs that refuse: by the recorded table, and never larger than the client has said.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connackFor, REFUSALS, type Refusal } from "../../../src/mqtt/connack.ts";
import { refusalTable } from "../../support/connect-vectors.ts";

/** The situations of the recorded table, by our names. */
const SITUATIONS: Readonly<Record<Refusal, string>> = {
  "unsupported-version": "protocol level not served",
  "client-id": "client id refused",
  "no-broker": "no broker can be reached",
  busy: "proxy at its connection limit",
  quota: "quota of this client",
  rate: "connection rate",
  credentials: "wrong user name or password",
  "not-authorized": "known but not allowed",
  banned: "banned address",
  "auth-method": "extended authentication not served",
  "too-large": "CONNECT too large",
  malformed: "malformed",
  "protocol-error": "protocol error",
  "will-topic": "will topic not accepted",
  "will-retain": "will retain not served",
  "will-qos": "will QoS over the maximum",
  "keep-alive": "keep alive over the limit (in 5 rather accept and tell Server Keep Alive)",
  "clean-session": "clean session demanded",
};

const hex = (bytes: Buffer | null): string | null => bytes?.toString("hex") ?? null;

test("every situation has the CONNACK that is recorded for it, in every version", () => {
  const ours = REFUSALS.map((refusal) => ({
    situation: SITUATIONS[refusal],
    v3: hex(connackFor(refusal, "3.1.1", null)),
    v5: hex(connackFor(refusal, "5", null)),
  }));
  expect(ours).toEqual(refusalTable as typeof ours);
  for (const refusal of REFUSALS) expect(connackFor(refusal, "3.1", null)).toEqual(connackFor(refusal, "3.1.1", null));
});

test("a client of 5 gets no CONNACK that is larger than its Maximum Packet Size", () => {
  for (const refusal of REFUSALS) {
    for (const size of [1, 2, 3, 4]) expect(connackFor(refusal, "5", size)).toBeNull();
    for (const size of [5, 6, 2 ** 32 - 1]) expect(connackFor(refusal, "5", size)).toHaveLength(5);
  }
});

test("docs/mqtt.md has every CONNACK, and no other", () => {
  const page = readFileSync(join(import.meta.dir, "../../../docs/mqtt.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$/gm)];
  const listed = rows.map(([, refusal, three, five]) => [refusal!, three!, five!]);
  const ours = REFUSALS.map((refusal) => {
    const [three, five] = [connackFor(refusal, "3.1.1", null), connackFor(refusal, "5", null)];
    const code = five![3]!.toString(16).toUpperCase().padStart(2, "0");
    return [refusal, three === null ? "none" : `${three[3]}`, `0x${code}`];
  });
  expect(listed.filter(([refusal]) => REFUSALS.includes(refusal as Refusal))).toEqual(ours);
});
