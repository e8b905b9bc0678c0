// Mosquitto and Sluice let in the same users with the same password file, but where Sluice refuses what could be meant in two ways.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Mosquitto } from "../support/mosquitto.ts";
import { byMosquitto, bySluice, TEA, TEA_21 } from "../support/password-cases.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const [, , , SALT, HASH] = TEA.split("$") as [string, string, string, string, string];

const file = join(temporaryDirectory(), "passwords");
for (const args of [
  ["-c", "-b", file, "by tool", "tea & sugar"],
  ["-b", "-I", "3000", file, "slower", "tea & sugar"],
  ["-b", "-H", "sha512", file, "sha", "tea & sugar"],
  ["-b", file, "Zoë", "żółw"],
]) {
  const { code, stderr } = await exec(["mosquitto_passwd", ...args]);
  if (code !== 0) throw new Error(stderr);
}
const written = readFileSync(file, "utf8");

/** Starts Mosquitto 2.0 with this file. */
async function mosquitto(text: string): Promise<Mosquitto> {
  const path = join(temporaryDirectory(), "passwords");
  writeFileSync(path, text);
  return Mosquitto.start({ lines: ["allow_anonymous false", `password_file ${path}`] });
}

const PASSWORDS = ["tea & sugar", "żółw", "tea", "tea & sugar ", "plain", "1"];

test("Mosquitto 2.0 agrees about every form of a line", async () => {
  const text = `${written}# note:${TEA}
no colon

  blanks \t: ${TEA} \r
third:${TEA}:more:and more
atoi:${TEA.replace("$101$", "$101x$")}
plain:plain
none:
unknown:$5$${SALT}$${HASH}
zero:${TEA.replace("$101$", "$0$")}
short salt:$7$101$${SALT.slice(4)}$${HASH}
no base64:$7$101$!${SALT.slice(1)}$${HASH}
short hash:$7$101$${SALT}$${HASH.slice(4)}
half:$7$101$${SALT}
:${TEA}
last:${TEA}`;
  const names = [
    "by tool",
    "slower",
    "sha",
    "Zoë",
    "zoë",
    "blanks",
    "third",
    "atoi",
    "plain",
    "none",
    "unknown",
    "zero",
  ];
  const others = ["short salt", "no base64", "short hash", "half", "", "last", "# note", "note", "nobody", "no colon"];
  const broker = await mosquitto(text);
  const ours = await bySluice(text)([...names, ...others], PASSWORDS);
  expect(ours).toEqual(await byMosquitto(broker.port)([...names, ...others], PASSWORDS));
  expect(ours).toEqual([
    ...["by tool", "slower", "sha"].map((name) => `${name} tea & sugar`),
    "Zoë żółw",
    ...["blanks", "third", "atoi", "last"].map((name) => `${name} tea & sugar`),
  ]);
});

test("Sluice is stricter where a name is there twice, a comment is indented, and a password has a NUL in it", async () => {
  const text = `twice:${TEA.replace("$101$", "$100$")}\ntwice:${TEA}\n # note:${TEA}\nanna:${TEA}`;
  const broker = await mosquitto(text);
  const names = ["twice", "# note", "anna"];
  const passwords = ["tea & sugar", "tea & sugar\0tail"];
  expect(await bySluice(text)(names, passwords)).toEqual(["anna tea & sugar"]);
  const theirs = await byMosquitto(broker.port)(names, passwords);
  expect(theirs).toContain("twice tea & sugar");
  expect(theirs).toContain("anna tea & sugar\0tail");
});

test("Sluice reads the lines of Mosquitto 2.1, which lock everyone out of 2.0", async () => {
  const text = `anna:${TEA_21}\n`;
  const broker = await mosquitto(text);
  expect(await bySluice(text)(["anna"], PASSWORDS)).toEqual(["anna tea & sugar"]);
  expect(await byMosquitto(broker.port)(["anna"], PASSWORDS)).toEqual([]);
});
