// What is typed in the way of other programs is done where it is clear what was meant, and answered with the right option where it is not.

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { SLUICE } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const pair = await (await Authority.create()).issue({
  names: ["mqtt.example"],
  notBefore: "20200101000000Z",
  notAfter: "21200101000000Z",
});
const cwd = temporaryDirectory();
mkdirSync(join(cwd, "dynamic"));
writeFileSync(
  join(cwd, "my.yml"),
  'entryPoints: { mqtts: { address: "127.0.0.1:8883" } }\nproviders: { file: { directory: dynamic } }\n',
);
writeFileSync(
  join(cwd, "dynamic/mqtt.yml"),
  `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`mqtt.example\`)", service: broker, tls: {} } }
  services: { broker: { loadBalancer: { servers: [{ port: 1883 }] } } }
tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }
`,
);
const type = (line: string) => sluiceCli(line.split(" "), { cwd });
const HINT = "(sluice --help lists the commands)\n";

describe("a file without an option in front of it is the static configuration", () => {
  test("for check", async () => {
    expect(await type("check my.yml")).toEqual({ code: 0, stdout: "The configuration is sound.\n", stderr: "" });
    expect((await type("check my.yml --print")).stdout).toContain("address: 127.0.0.1:8883  # my.yml:1:");
  });

  test("for certs list and healthcheck", async () => {
    expect((await type("certs list my.yml")).stdout).toContain("mqtt.example");
    expect((await type("healthcheck my.yml")).stderr).toContain("my.yml: ping is not configured");
  });

  test("for run, which need not be typed", async () => {
    for (const line of ["run missing", "missing.yml", "./missing"]) {
      const { code, stderr } = await exec([SLUICE, ...line.split(" ")], { cwd });
      expect({ line, code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("no such file") as unknown,
      });
    }
  });

  test("and two of them are one too many", async () => {
    expect(await type("check my.yml --configFile=b.yml")).toEqual({
      code: 1,
      stdout: "",
      stderr: `error: two static configurations are given, 'my.yml' and --configFile=b.yml: give one\n${HINT}`,
    });
  });

  test("but a misspelt command is none, and neither is a directory", async () => {
    expect((await type("chekc")).stderr).toBe(`error: unknown command "chekc" (did you mean "check"?)\n${HINT}`);
    expect((await type("dynamic")).stderr).toBe(`error: unknown command "dynamic"\n${HINT}`);
  });
});

describe("explain", () => {
  test("takes a name without --sni in front of it", async () => {
    const { code, stdout } = await type("explain mqtt.example --configFile=my.yml");
    expect({ code, stdout }).toEqual(
      await type("explain --sni mqtt.example --configFile=my.yml").then(({ code, stdout }) => ({ code, stdout })),
    );
    expect(stdout).toContain('router "mqtt@file"');
  });

  test("does not take a file for a name, nor two names", async () => {
    expect((await type("explain my.yml")).stderr).toBe(
      `error: explain takes a server name, and 'my.yml' is a file: write --configFile=my.yml\n${HINT}`,
    );
    expect((await type("explain a --sni b")).stderr).toBe(
      `error: two server names are given, 'a' and --sni=b: give one\n${HINT}`,
    );
  });
});

test.each([
  ["check --config=my.yml", "--config", "--configFile"],
  ["check --config my.yml", "--config", "--configFile"],
  ["check -c my.yml", "-c", "--configFile"],
  ["check -f my.yml", "-f", "--configFile"],
  ["check --file=my.yml", "--file", "--configFile"],
  ["--conf=my.yml", "--conf", "--configFile"],
  ["explain --name mqtt.example", "--name", "--sni"],
  ["explain --servername mqtt.example", "--servername", "--sni"],
])("%s names the option that is meant", async (line, typed, meant) => {
  expect(await type(line)).toEqual({
    code: 1,
    stdout: "",
    stderr: `error: unknown option '${typed}' (did you mean "${meant}"?)\n${HINT}`,
  });
});

test("an option with one dash is answered with two", async () => {
  expect((await type("check -configFile=my.yml")).stderr).toBe(
    `error: unknown option '-configFile' (options begin with two dashes: "--configFile")\n${HINT}`,
  );
});

test("a dynamic file in the place of the static one is recognised", async () => {
  expect(await type("check dynamic/mqtt.yml")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^dynamic\/mqtt\.yml:2:1: this is a dynamic configuration \(tcp, tls\)\. .*filename: dynamic\/mqtt\.yml/,
    ) as unknown,
  });
});
