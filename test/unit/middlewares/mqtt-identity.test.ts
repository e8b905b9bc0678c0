// mqttIdentity: the broker is told who a client has proved to be, and a client that has not proved it comes to no broker.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { IDENTITY_FIELDS } from "../../../src/certs/client-identity.ts";
import type { Client, Verdict } from "../../../src/middlewares/middleware.ts";
import { MqttIdentity, type MqttIdentityRow } from "../../../src/middlewares/mqtt-identity.ts";
import type { Connect } from "../../../src/mqtt/connect.ts";
import { PLACEHOLDERS, parseTemplate, type Template } from "../../../src/mqtt/template.ts";
import { isMqttText } from "../../../src/mqtt/text.ts";
import { Authority } from "../../support/certs.ts";
import { HostileCertificates } from "../../support/hostile-certificates.ts";
import { random } from "../../support/random.ts";

const authority = await Authority.create();
const issue = async (subject: string, sans: readonly string[] = []): Promise<Buffer> => {
  const { cert } = await authority.issue({ names: [], subject, sans, serial: "0a1b", usage: "clientAuth" });
  return new X509Certificate(readFileSync(cert)).raw;
};
const device = await issue("/O=Plant/CN=dev-1", ["DNS:dev-1.example", "URI:spiffe://plant/dev-1", "email:dev-1@plant"]);
const nameless = await issue("/O=Plant");

function template(source: string): Template {
  const read = parseTemplate(source);
  if (read.kind === "error") throw new Error(read.message);
  return read.template;
}

interface Settings {
  readonly username?: string;
  readonly clientId?: string;
  readonly password?: MqttIdentityRow["password"];
  readonly require?: readonly (readonly [value: string, equals: string])[];
  readonly matches?: readonly [value: string, pattern: string];
}

function middleware({
  username,
  clientId,
  password = { kind: "keep" },
  require = [],
  matches,
}: Settings): MqttIdentity {
  return new MqttIdentity({
    kind: "mqttIdentity",
    username: username === undefined ? null : template(username),
    clientId: clientId === undefined ? null : template(clientId),
    password,
    require: [
      ...require.map(([value, equals]) => ({ value: template(value), equals: template(equals) })),
      ...(matches === undefined ? [] : [{ value: template(matches[0]), matches: matches[1] }]),
    ],
  });
}

const SENT: Connect = {
  packet: Buffer.alloc(0),
  version: "3.1.1",
  bridge: false,
  clean: true,
  keepAlive: 60,
  clientId: "client-9",
  username: "user-9",
  password: Buffer.from("secret"),
  will: null,
  maximumPacketSize: null,
  sessionExpiry: 0,
  authenticationMethod: null,
};

const client = (
  sent: Partial<Connect> = {},
  certificate: Buffer | null = device,
  more: Partial<Client> = {},
): Client => ({
  clientAddress: "2001:db8::1",
  sni: "mqtt.example.com",
  connect: { ...SENT, ...sent },
  clientCertificate: certificate,
  ...more,
});

const PASSED = { kind: "pass", lease: null } as const;
const refusedFor = (reason: string) => ({ kind: "refuse", reason, refusal: "not-authorized" }) as never;

describe("a template", () => {
  for (const [source, made] of [
    ["{cert.cn}", "dev-1"],
    ["{cert.san.dns}", "dev-1.example"],
    ["{cert.san.uri}", "spiffe://plant/dev-1"],
    ["{cert.san.email}", "dev-1@plant"],
    ["{cert.serial}", "0A1B"],
    ["{cert.subject}", "CN=dev-1,O=Plant"],
    ["{cert.fingerprint}", new X509Certificate(device).fingerprint256.replaceAll(":", "").toLowerCase()],
    ["{sni}", "mqtt.example.com"],
    ["{client.ip}", "2001:db8::1"],
    ["{mqtt.clientId}", "client-9"],
    ["{mqtt.username}", "user-9"],
    ["plant/{cert.cn}/{mqtt.clientId}!", "plant/dev-1/client-9!"],
  ] as const)
    test(`${source} is ${made}`, () => {
      expect(middleware({ username: source }).judge(client())).toEqual({ ...PASSED, rewrite: { username: made } });
      expect(middleware({ clientId: source }).judge(client())).toEqual({ ...PASSED, rewrite: { clientId: made } });
    });

  test("that has no value for a client refuses it, as not authorised", () => {
    const cases: [source: string, client: Client][] = [
      ["{cert.cn}", client({}, null)],
      ["{cert.cn}", client({}, nameless)],
      ["x-{cert.san.uri}", client({}, nameless)],
      ["{sni}", client({}, device, { sni: "" })],
      ["{mqtt.clientId}", client({ clientId: "" })],
      ["{mqtt.username}", client({ username: null })],
      ["{mqtt.username}", client({ username: "" })],
      ["{mqtt.username}", client({}, device, { connect: null })],
    ];
    for (const [source, who] of cases) {
      expect(middleware({ username: source }).judge(who)).toEqual(refusedFor("identity-missing"));
      expect(middleware({ password: { kind: "template", template: template(source) } }).judge(who)).toEqual(
        refusedFor("identity-missing"),
      );
    }
  });

  test("whose value two could read differently refuses the client too", async () => {
    const two = await issue("/CN=dev-1/CN=dev-2");
    expect(middleware({ username: "{cert.cn}" }).judge(client({}, two))).toEqual(refusedFor("identity-unusable"));
    expect(middleware({ require: [["{cert.cn}", "dev-1"]] }).judge(client({}, two))).toEqual(
      refusedFor("identity-unusable"),
    );
    expect(middleware({ username: "{cert.cn}" }).judge(client({}, Buffer.from("no certificate")))).toEqual(
      refusedFor("identity-unusable"),
    );
    expect(middleware({ username: "{mqtt.clientId}" }).judge(client({ clientId: "a\u0085" }))).toEqual(
      refusedFor("identity-unusable"),
    );
  });

  test("that makes more than 65535 bytes refuses the client", () => {
    const long = client({ clientId: "x".repeat(65_534) });
    expect(middleware({ username: "1{mqtt.clientId}" }).judge(long).kind).toBe("pass");
    expect(middleware({ username: "12{mqtt.clientId}" }).judge(long)).toEqual(refusedFor("identity-unusable"));
    expect(middleware({ username: "{mqtt.clientId}" }).judge(client({ clientId: "ö".repeat(32_768) }))).toEqual(
      refusedFor("identity-unusable"),
    );
  });

  test("of text alone is the same for all, whatever they have", () => {
    const verdict = middleware({ username: "edge" }).judge(client({ username: null }, null));
    expect(verdict).toEqual({ ...PASSED, rewrite: { username: "edge" } });
  });
});

describe("the password", () => {
  const rewritten = (password: MqttIdentityRow["password"]) =>
    middleware({ username: "{cert.cn}", password }).judge(client());
  test("stays, goes, is made of a template, or is a secret that only the broker knows", () => {
    expect(rewritten({ kind: "keep" })).toEqual({ ...PASSED, rewrite: { username: "dev-1" } });
    expect(rewritten({ kind: "strip" })).toEqual({ ...PASSED, rewrite: { username: "dev-1", password: null } });
    expect(rewritten({ kind: "template", template: template("{cert.serial}") })).toEqual({
      ...PASSED,
      rewrite: { username: "dev-1", password: Buffer.from("0A1B") },
    });
    expect(rewritten({ kind: "secret", secret: "{ö}" })).toEqual({
      ...PASSED,
      rewrite: { username: "dev-1", password: Buffer.from("{ö}") },
    });
  });
  test("without a user name is only for MQTT 5: others could not send it", () => {
    const alone = middleware({ password: { kind: "secret", secret: "s" } });
    for (const version of ["3.1", "3.1.1"] as const) {
      expect(alone.judge(client({ version, username: null }))).toEqual(refusedFor("identity-missing"));
      expect(alone.judge(client({ version, username: "" })).kind).toBe("pass");
      expect(middleware({ password: { kind: "strip" } }).judge(client({ version, username: null })).kind).toBe("pass");
    }
    expect(alone.judge(client({ version: "5", username: null })).kind).toBe("pass");
  });
});

describe("a requirement", () => {
  const own: Settings = { require: [["{mqtt.clientId}", "{cert.cn}"]] };
  test("lets no device speak as another", () => {
    expect(middleware(own).judge(client({ clientId: "dev-1" }))).toEqual({ ...PASSED, rewrite: {} });
    for (const clientId of ["dev-2", "DEV-1", "dev-1 ", "dev-10", "dev-"])
      expect(middleware(own).judge(client({ clientId }))).toEqual(refusedFor("identity-mismatch"));
  });
  test("does not hold where either side has no value", () => {
    expect(middleware(own).judge(client({ clientId: "" }))).toEqual(refusedFor("identity-missing"));
    expect(middleware(own).judge(client({ clientId: "" }, null))).toEqual(refusedFor("identity-missing"));
    expect(middleware(own).judge(client({ clientId: "dev-1" }, null))).toEqual(refusedFor("identity-missing"));
  });
  test("is about what the client has sent, also where the same middleware changes it", () => {
    const both = middleware({ ...own, clientId: "{cert.cn}" });
    expect(both.judge(client({ clientId: "dev-2" }))).toEqual(refusedFor("identity-mismatch"));
  });
  test("matches the whole value", () => {
    const pattern = middleware({ matches: ["{mqtt.clientId}", "dev-[0-9]|x"] });
    expect(pattern.judge(client({ clientId: "dev-7" })).kind).toBe("pass");
    for (const clientId of ["dev-77", "adev-7", "dev-7\n", "xx"])
      expect(pattern.judge(client({ clientId })).kind).toBe("refuse");
  });
  test("matches no value of more than 1024 characters, which would keep the others waiting", () => {
    const any = middleware({ matches: ["{mqtt.clientId}", ".*"] });
    expect(any.judge(client({ clientId: "x".repeat(1024) })).kind).toBe("pass");
    expect(any.judge(client({ clientId: "x".repeat(1025) }))).toEqual(refusedFor("identity-mismatch"));
  });
  test("all of them have to hold", () => {
    const two = middleware({
      require: [
        ["{cert.cn}", "dev-1"],
        ["{sni}", "other.example.com"],
      ],
    });
    expect(two.judge(client())).toEqual(refusedFor("identity-mismatch"));
  });
});

test("what is said of a refusal names the placeholder, and nothing that came from the client", () => {
  const why = (settings: Settings, who: Client) => {
    const identified = middleware(settings).identify(who);
    return identified.kind === "refuse" ? identified.why : null;
  };
  expect(why({ username: "{cert.cn}" }, client({}, null))).toBe("{cert.cn} is missing");
  expect(why({ username: "{mqtt.clientId}" }, client({ clientId: "evil\x07" }))).not.toContain("evil");
  expect(why({ require: [["{mqtt.clientId}", "{cert.cn}"]] }, client({ clientId: "evil" }))).not.toContain("evil");
});

test("whatever a certificate holds, a client is told in text that MQTT takes, or refused", () => {
  const certificates = new HostileCertificates(authority, random(8));
  const asking = PLACEHOLDERS.map((each) => middleware({ username: `{${each}}` }));
  let told = 0;
  for (let round = 0; round < 200; round++) {
    const who = client({}, certificates.next().der);
    for (const each of asking) {
      const verdict = each.judge(who) as Extract<Verdict, { kind: "pass" }> | { kind: "refuse" };
      if (verdict.kind === "refuse") continue;
      told++;
      expect(isMqttText(verdict.rewrite!.username!)).toBe(true);
      expect(verdict.rewrite!.username).not.toBe("");
    }
  }
  expect(told).toBeGreaterThan(1000);
});

test("every field of a certificate has its placeholder", () => {
  const certificate = PLACEHOLDERS.filter((each) => each.startsWith("cert."));
  expect(certificate).toEqual(IDENTITY_FIELDS.map((each): (typeof PLACEHOLDERS)[number] => `cert.${each}`));
});
