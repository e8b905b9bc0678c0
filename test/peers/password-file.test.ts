// The password file of Mosquitto 2.1, written by its tool and read by its broker and by Sluice: npm run test:peers.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Mosquitto } from "../support/mosquitto.ts";
import { byMosquitto, bySluice } from "../support/password-cases.ts";
import { peer } from "../support/peers.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

test("Mosquitto 2.1 and Sluice let in the same users of a file that mosquitto_passwd of 2.1 has written", async () => {
  const file = join(temporaryDirectory(), "passwords");
  for (const args of [
    ["-c", "-b", file, "anna", "tea & sugar"],
    ["-b", "-H", "sha512", file, "sha", "tea & sugar"],
    ["-b", "-H", "sha512-pbkdf2", "-I", "3000", file, "slower", "żółw"],
  ]) {
    const { code, stderr } = await exec([...peer("bin/mosquitto_passwd"), ...args]);
    if (code !== 0) throw new Error(stderr);
  }
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^anna:\$7\$1000\$[\w+/=]{88}\$[\w+/=]{88}$/m);
  const broker = await Mosquitto.start({
    command: peer("sbin/mosquitto"),
    lines: ["allow_anonymous false", `password_file ${file}`],
  });
  const [names, passwords] = [
    ["anna", "sha", "slower", "nobody"],
    ["tea & sugar", "żółw", "tea"],
  ];
  const admitted = await bySluice(text)(names, passwords);
  expect(admitted).toEqual(["anna tea & sugar", "sha tea & sugar", "slower żółw"]);
  expect(await byMosquitto(broker.port)(names, passwords)).toEqual(admitted);
});
