// mqttAuth lets in who proves to be a user of the file, and nobody else; what it was not asked to let in stays out.

import { describe, expect, test } from "bun:test";
import type { Client, Verdict } from "../../../src/middlewares/middleware.ts";
import { type AuthResult, MqttAuth, type MqttAuthRow } from "../../../src/middlewares/mqtt-auth.ts";
import type { Connect } from "../../../src/mqtt/connect.ts";
import { readPasswordFile } from "../../../src/mqtt/password-file.ts";
import { splitUsers } from "../../../src/mqtt/user-parts.ts";

const FILE = `anna:$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==
bad:plain text`;
const read = readPasswordFile(FILE);
const { users, texts } = splitUsers(read.kind === "ok" ? read.file.users : new Map());

type Settings = Omit<MqttAuthRow, "kind" | "users" | "key">;
const CLOSED: Settings = {
  allowAnonymous: false,
  certificateIsEnough: false,
  stripPassword: false,
  strictCodes: false,
};

function auth(settings: Partial<Settings> = {}) {
  const results: AuthResult[] = [];
  const row: MqttAuthRow = { kind: "mqttAuth", users, key: "a2V5", ...CLOSED, ...settings };
  const middleware = new MqttAuth(row, {
    partOf: (name) => texts.get(name) ?? null,
    onAuthentication: (result) => void results.push(result),
  });
  const judge = (username: string | null, password: string | null, certificate = false): Promise<Verdict> | Verdict =>
    middleware.judge({
      ...{ clientAddress: "192.0.2.1", sni: "" },
      connect: { username, password: password === null ? null : Buffer.from(password) } as Connect,
      clientCertificate: certificate ? Buffer.from("DER") : null,
    } satisfies Client);
  return { judge, results };
}

const refusal = (reason: string, refused: string) => ({ kind: "refuse", reason, refusal: refused });
const WRONG = refusal("bad-credentials", "not-authorized");
const NONE = refusal("no-credentials", "not-authorized");
const PASS = { kind: "pass", lease: null };

test("a user with the right password comes in; a wrong one, a stranger and a user whose line is bad do not", async () => {
  const { judge, results } = auth();
  expect(await judge("anna", "tea & sugar")).toEqual(PASS as Verdict);
  for (const [name, password] of [
    ["anna", "coffee"],
    ["anna", ""],
    ["nobody", "tea & sugar"],
    ["bad", "plain text"],
    ["", ""],
  ] as const)
    expect(await judge(name, password)).toEqual(WRONG as Verdict);
  expect(results).toEqual(["password", ...Array<AuthResult>(5).fill("bad-credentials")]);
});

test("a user name without a password, and in MQTT 5 a password without a user name, are wrong whatever else is allowed", async () => {
  const { judge } = auth({ allowAnonymous: true, certificateIsEnough: true });
  expect(await judge("anna", null, true)).toEqual(WRONG as Verdict);
  expect(await judge(null, "tea & sugar", true)).toEqual(WRONG as Verdict);
});

describe("a client without credentials", () => {
  test.each([
    ["is refused", {}, false, NONE, "no-credentials"],
    ["is refused with a certificate too, unless that is enough", {}, true, NONE, "no-credentials"],
    ["comes in where that is allowed", { allowAnonymous: true }, false, PASS, "anonymous"],
    ["comes in with a certificate where that is enough", { certificateIsEnough: true }, true, PASS, "certificate"],
    ["is refused without one where that is enough", { certificateIsEnough: true }, false, NONE, "no-credentials"],
  ] as const)("%s", async (_, settings, certificate, verdict, result) => {
    const { judge, results } = auth(settings);
    expect(await judge(null, null, certificate)).toEqual(verdict as Verdict);
    expect(results).toEqual([result]);
  });
});

test("a certificate that is enough does not stand in for a wrong password: the broker would believe the name", async () => {
  const { judge } = auth({ certificateIsEnough: true });
  expect(await judge("anna", "coffee", true)).toEqual(WRONG as Verdict);
  expect(await judge("anna", "tea & sugar", true)).toEqual(PASS as Verdict);
});

test("strict codes are for wrong credentials alone", async () => {
  const { judge } = auth({ strictCodes: true });
  expect(await judge("anna", "coffee")).toEqual(refusal("bad-credentials", "credentials") as Verdict);
  expect(await judge(null, null)).toEqual(NONE as Verdict);
});

test("nothing is hashed for clients that leave while they wait, and none of them is let in", async () => {
  let isThere = true;
  const results: AuthResult[] = [];
  const row: MqttAuthRow = { kind: "mqttAuth", users, key: "a2V5", ...CLOSED };
  const middleware = new MqttAuth(row, {
    partOf: (name) => texts.get(name) ?? null,
    onAuthentication: (result) => void results.push(result),
  });
  const client: Client = {
    ...{ clientAddress: "192.0.2.1", sni: "" },
    connect: { username: "anna", password: Buffer.from("tea & sugar") } as Connect,
    clientCertificate: null,
    get isOver() {
      return !isThere;
    },
  };
  const verdicts = Array.from({ length: 20 }, () => middleware.judge(client));
  isThere = false;
  const kinds = (await Promise.all(verdicts)).map(({ kind }) => kind);
  // Those whose turn it was at once.
  expect(kinds.filter((kind) => kind === "pass").length).toBe(2);
  expect(results.filter((result) => result === "client-gone").length).toBe(18);
});

test("the broker does not get the password where it is stripped", async () => {
  const { judge } = auth({ stripPassword: true });
  expect(await judge("anna", "tea & sugar")).toEqual({ ...PASS, rewrite: { password: null } } as Verdict);
});
