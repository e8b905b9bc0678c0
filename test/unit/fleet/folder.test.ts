// What the folder of a device holds, for each family of clients.

import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Authority, IssuedCertificate } from "../../../src/authority/authority.ts";
import { createAuthority } from "../../../src/authority/create.ts";
import { PLAIN } from "../../../src/authority/delivery.ts";
import { clientSubject } from "../../../src/authority/names.ts";
import type { Outfit } from "../../../src/fleet/device.ts";
import { FAMILIES } from "../../../src/fleet/families.ts";
import { type FolderPlan, folderFiles, namesOf } from "../../../src/fleet/folder.ts";
import { FAMILY_NAMES, type FamilyName } from "../../../src/fleet/names.ts";
import { newPassword } from "../../../src/fleet/password.ts";
import { addressUrl, qrLines, qrPng } from "../../../src/fleet/qr.ts";
import { readStore } from "../../../src/keystores/read.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const NAME = `Gerät "7" \`日本\` 🚀 | $(x) 'y'`;
const plan = {
  directory: join(temporaryDirectory(), "ca"),
  name: "Test",
  days: 100,
  key: "ec",
  passphrase: null,
} as const;
const { authority, issued } = await issue(plan.directory, false);

async function issue(
  directory: string,
  hasIntermediate: boolean,
): Promise<{ authority: Authority; issued: IssuedCertificate }> {
  const created = await createAuthority({ ...plan, directory, hasIntermediate });
  const named = clientSubject(NAME);
  if (created.kind === "error" || named.kind === "error") throw new Error("no authority");
  const request = { purpose: "client", subject: named.subject, days: 30, key: "ec" } as const;
  const answer = await created.authority.issue(request);
  if (answer.kind === "error") throw new Error(answer.message);
  return { authority: created.authority, issued: answer.issued };
}

function outfit(family: FamilyName, more: Partial<Outfit> = {}): Outfit {
  const server = { host: "mqtt.example.com", port: 8884 };
  return { family, server, store: FAMILIES[family].store, legacy: null, ...more };
}

async function filled(outfit: Outfit, more: Partial<FolderPlan> = {}, of = { authority, issued }) {
  const files = await folderFiles(of.authority, of.issued, {
    name: NAME,
    outfit,
    form: PLAIN,
    password: null,
    ...more,
  });
  return new Map(files.map(({ name, content, isSecret }) => [name, { content: Buffer.from(content), isSecret }]));
}

const PEM = ["client.key", "client.crt", "ca.crt"];
const FILES: Readonly<Record<FamilyName, readonly string[]>> = {
  mosquitto: PEM,
  "paho-python": PEM,
  "paho-java": ["client.p12", "trust.p12", "password.txt"],
  "paho-c": PEM,
  android: ["client.bks", "client.p12", "ca.crt", "qr.png", "password.txt"],
  thingsboard: [...PEM, "client.jks", "trust.jks", "password.txt"],
  tempus: [...PEM, "client.jks", "trust.jks", "password.txt"],
  sinetstream: PEM,
  esp32: ["sluice-client.h", "client-key.der", "client.der", "ca.der"],
  "node-red": PEM,
  "home-assistant": PEM,
  mqttx: [...PEM, "qr.png"],
  generic: [...PEM, "client.p12", "password.txt"],
};

test.each([...FAMILY_NAMES])(
  "%s gets exactly its files, and a README that names each of them and the server",
  async (family) => {
    const files = await filled(outfit(family));
    expect([...files.keys()]).toEqual([...FILES[family], "README.md", "sluice.json"]);
    const names = namesOf(outfit(family), false);
    for (const name of files.keys()) expect(names).toContain(name);
    const readme = files.get("README.md")!.content.toString();
    for (const name of FILES[family]) expect(readme).toContain(`\`${name}\``);
    expect(readme).toContain("mqtt.example.com");
    expect(readme).toContain("8884");
    expect(readme).not.toContain("YOUR-SERVER");
  },
);

test.each([...FAMILY_NAMES])(
  "%s: what holds a key or a password is for nobody else, and the password is in its own file alone",
  async (family) => {
    const files = await filled(outfit(family));
    const password = files.get("password.txt")?.content.toString().trim();
    for (const [name, { content, isSecret }] of files) {
      const holdsKey =
        /PRIVATE KEY-/.test(content.toString("latin1")) || /^client(-key)?\.(der|p12|jks|bks)$/.test(name);
      if (holdsKey && name !== "client.der") expect({ name, isSecret }).toEqual({ name, isSecret: true });
      if (password !== undefined && name !== "password.txt") expect(content.includes(password)).toBe(false);
    }
    expect(files.get("password.txt")?.isSecret ?? true).toBe(true);
  },
);

test("key stores have the key, its certificate and the authority, under the aliases of the guides; trust stores the authority alone", async () => {
  const cases = [
    ["paho-java", {}, "p12"],
    ["paho-java", { store: "jks" }, "jks"],
    ["paho-java", { legacy: "rc2" }, "p12"],
    ["android", {}, "bks"],
    ["android", { store: "bks-v1" }, "bks"],
    ["thingsboard", { store: "p12", legacy: "3des" }, "p12"],
  ] as const;
  for (const [family, more, extension] of cases) {
    const files = await filled(outfit(family, more), { password: { from: "operator", value: "secret word" } });
    expect(files.has("password.txt")).toBe(false);
    const store = readStore(files.get(`client.${extension}`)!.content, "secret word");
    if (store.kind === "error") throw new Error(store.message);
    expect(store.entries.map(({ alias, kind }) => `${alias} ${kind}`).sort()).toEqual(["ca certificate", "client key"]);
    const key = store.entries.find(({ kind }) => kind === "key")!;
    const opened = key.key!("secret word");
    if (opened.kind === "error") throw new Error(opened.message);
    const own = createPrivateKey({ key: opened.pkcs8, format: "der", type: "pkcs8" });
    expect(new X509Certificate(key.certificates[0]!).checkPrivateKey(own)).toBe(true);
    const trust = files.get(`trust.${extension}`);
    if (trust === undefined) continue;
    const alone = readStore(trust.content, "secret word");
    expect(alone.kind === "ok" && alone.entries.map(({ kind }) => kind)).toEqual(["certificate"]);
  }
});

test("the first byte of a BKS says its version", async () => {
  for (const [store, version] of [
    ["bks", 2],
    ["bks-v1", 1],
  ] as const)
    expect((await filled(outfit("android", { store }))).get("client.bks")!.content.readUInt32BE(0)).toBe(version);
});

test("an intermediate authority comes along, in DER too", async () => {
  const below = await issue(join(temporaryDirectory(), "ca"), true);
  const files = await filled(outfit("esp32"), {}, below);
  expect([...files.keys()]).toContain("intermediate.der");
  const [own, between, root] = ["client.der", "intermediate.der", "ca.der"].map(
    (name) => new X509Certificate(files.get(name)!.content),
  );
  expect([own!.checkIssued(between!), between!.checkIssued(root!)]).toEqual([true, true]);
  expect(
    files
      .get("sluice-client.h")!
      .content.toString()
      .match(/BEGIN CERTIFICATE/g),
  ).toHaveLength(3);
});

test("without a server the README has a placeholder that nobody takes for a name, and there is no QR code", async () => {
  for (const family of FAMILY_NAMES) {
    const files = await filled(outfit(family, { server: { host: null, port: 8883 } }));
    expect(files.has("qr.png")).toBe(false);
    const readme = files.get("README.md")!.content.toString();
    expect(readme).toContain("YOUR-SERVER");
    expect(readme).not.toContain("qr.png");
  }
});

test("a QR code is a PNG, and holds the address and the client id alone", () => {
  const url = addressUrl({ server: { host: "2001:db8::1", port: 8883 }, name: "Gerät 7" });
  expect(url).toBe("mqtts://[2001:db8::1]:8883?clientId=Ger%C3%A4t%207");
  expect(qrPng(url).toString("latin1", 1, 4)).toBe("PNG");
  const lines = qrLines(url).map((line) => Bun.stripANSI(line));
  // 29 modules, and 4 of white on each side, two in a line.
  expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  expect(lines.length).toBe(Math.ceil(lines[0]!.length / 2));
  expect(lines.slice(0, 2).join("").trim()).toBe("");
});

test("passwords that are made are 100 random bits in letters that look like no other", () => {
  const many = Array.from({ length: 200 }, newPassword);
  expect(new Set(many).size).toBe(200);
  for (const each of many) expect(each).toMatch(/^[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){4}$/);
});
