// `sluice explain` and the running proxy are of one mind: real clients end at the router, the certificate and the server that it names,
// or are refused for the reason that it gives.

import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readClient } from "../../src/explain/client.ts";
import type { Explanation } from "../../src/explain/explanation.ts";
import { MQTT_VERSIONS } from "../../src/mqtt/version.ts";
import { greeting } from "../support/backend.ts";
import { sluiceCli } from "../support/cli.ts";
import {
  authority,
  bothPort,
  compareConnect,
  compareMany,
  config,
  configFile,
  explained,
  explainer,
  nextAccess,
  plainPort,
  sluice,
} from "../support/explained-edge.ts";
import { RawClient } from "../support/raw.ts";
import { ROOT } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

/** What becomes of one client or another of explained-edge.ts. */
const ENDS = [
  ...["handshake-failed", "no-certificate", "no-route", "no-server", "passthrough", "plain"],
  ...["router-off", "terminate", "unknown-sni"],
];

test("every name, and clients made at random, end where explain says", async () => {
  expect([...(await compareMany(7, 15))].sort()).toEqual(ENDS);
});

test("clients whose CONNECT decides end where explain says", async () => {
  const ends = new Map<string, number>();
  const asked = {
    "mqtt.test": ["sensor-7", "Sensor-7", "nobody"],
    "gone.test": ["sensor-7", "x"],
    "named.test": ["x"],
  };
  for (const [sni, clientIds] of Object.entries({ ...asked, "nameless.test": ["x"] }))
    for (const clientId of clientIds)
      for (const username of [null, "anna"])
        for (const version of MQTT_VERSIONS) {
          const { router, verdict } = await compareConnect(sni, { clientId, username, version });
          const end = `${router?.name ?? "-"} ${verdict.reason ?? "served"}`;
          ends.set(end, (ends.get(end) ?? 0) + 1);
        }
  expect(Object.fromEntries(ends)).toEqual({
    "sensors@file served": 6,
    "anna@file served": 2,
    "old@file no-server": 4,
    "others@file served": 3,
    "- no-route": 3,
    "gone@file router-off": 6,
    "not-gone@file served": 6,
    "named@file served": 3,
    "nameless@file other-tls": 3,
    "nameless@file served": 6,
  });
});

test("clients without TLS end where explain says", async () => {
  const connect = Buffer.from("101000044d5154540402003c000461626364", "hex");
  for (const [point, port] of [
    ["mqtts", sluice.port],
    ["plain", plainPort],
    ["both", bothPort],
  ] as const) {
    const { verdict, router } = explained({ point, sni: null, alpn: [], from: "127.0.0.1", rsaOnly: false }, true);
    const client = await RawClient.open(port);
    client.socket.write(connect);
    if (verdict.served) await client.until(greeting("c"));
    client.socket.end();
    const line = await nextAccess();
    expect(line.router).toBe(router?.name as string);
    if (!verdict.served) expect(line.reason).toBe(verdict.reason! as string);
  }
});

test("a client from nobody knows where gets an answer for each place that makes a difference", async () => {
  const from = (sni: string) => {
    const client = readClient({ sni });
    if (typeof client === "string") throw new Error(client);
    return explainer
      .explain(config.entryPoints.get("mqtts")!, client)
      .map(({ client: { from }, router }) => [from, router?.name ?? null]);
  };
  expect(from("exact.test")).toEqual([[["anywhere"], "exact@file"]]);
  expect(from("ip.test")).toEqual([
    [["anywhere else"], "outside@file"],
    [["127.0.0.2/32"], "inside@file"],
  ]);
  expect(from("strict-ip.test")).toEqual([
    [["anywhere else"], null],
    [["127.0.0.2/32"], "restricted@file"],
    [["127.0.0.3/32"], "local@file"],
  ]);
});

const run = (...args: string[]) =>
  sluiceCli(["explain", `--configFile=${configFile}`, ...args], { cwd: sluice.directory });

describe("the command", () => {
  test("says the verdict first, then why each other router is not the one", async () => {
    const args = ["--sni=ip.test", "--from=127.0.0.9", "--entryPoint=mqtts"];
    const { code, stdout, stderr } = await run(...args);
    // So does the program in a process of its own.
    expect(await exec([sluice.binary, "explain", `--configFile=${configFile}`, ...args])).toEqual({
      code,
      stdout,
      stderr,
    });
    expect(stderr).toContain(`the router "broken" is off`);
    expect(stdout.split("\n")[0]).toBe(
      'ip.test from 127.0.0.9 on mqtts: router "outside@file" terminates TLS, service "a@file"',
    );
    expect(stdout).toContain("inside@file, ");
    expect(stdout).toContain("ClientIP(`127.0.0.2`): 127.0.0.9 is not in it");
    expect(stdout).toContain("it has a wildcard for this name");
    expect(code).toBe(1); // the configuration has an error
  });

  test("says why a router is off, and what the client sees", async () => {
    const { stdout } = await run("--sni=off.test", "--entryPoint=mqtts");
    expect(stdout).toContain('off.test from anywhere on mqtts: refused by router "broken@file": router-off');
    expect(stdout).toContain("unrecognized_name");
    expect(stdout).toContain('the service "missing" does not exist');
  });

  test("says which name was meant", async () => {
    expect((await run("--sni=exatc.test", "--from=192.0.2.1")).stdout).toContain("did you mean exact.test?");
  });

  test("says which client gets which certificate, where there are several", async () => {
    const { stdout } = await run("--sni=both.test", "--entryPoint=mqtts", "--json");
    const [{ certificates: choices }] = JSON.parse(stdout).explanations as [Explanation];
    expect(choices.map(({ commonName, clients }) => [commonName, clients.includes("RSA only")])).toEqual([
      ["ecdsa", false],
      ["rsa", true],
    ]);
  });

  const wrong: [args: string[], line: string][] = [
    [["--sni=*.test"], '--sni: "*.test" is a pattern: a client asks for one name'],
    [["--sni=münchen.example"], "--sni xn--mnchen-3ya.example"],
    [["--sni=mqtts://a.test"], "give the host name alone"],
    [["--sni=a b"], "is no host name"],
    [[`--sni=${"a".repeat(256)}`], "the name has 256 characters, and one has at most 255"],
    [["--sni="], "the name is empty"],
    [["--plain", "--sni=a"], "a client without TLS sends neither SNI nor ALPN"],
    [["--mqttVersion=4"], '--mqttVersion: "4" is no version of MQTT: did you mean 3.1.1?'],
    [["--clientId=a\u0007"], '--clientId: "a\\u0007" is no text of MQTT'],
    [["--from=10.0.0.0/8"], '"10.0.0.0/8" is no IP address'],
    [["--from=010.0.0.1"], '"010.0.0.1" is no IP address'],
    [["--alpn=mqtt,,h2"], '"" is no protocol'],
    [["--entryPoint=mqtt"], '"mqtt" does not exist (did you mean "mqtts"?): there are mqtts, plain, both'],
    [["--entryPoint=traefik"], '"traefik" serves HTTP, and no routers'],
  ];
  test.each(wrong)("%p is refused", async (args, line) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(line);
  });
});

test.each([
  ["operations", "Explain a connection", 3],
  ["mqtt", "Routing by CONNECT", 1],
])("the page on %s shows what is printed", async (page, heading, count) => {
  const text = readFileSync(join(ROOT, `docs/${page}.md`), "utf8");
  const section = text.split(`\n## ${heading}\n`)[1]!.split("\n## ")[0]!;
  const yaml = /```yaml\n([\s\S]*?)```/.exec(section)![1]!;
  const shown = [...section.matchAll(/```sh\nbin\/sluice (.*)\n```\n\n```text\n([\s\S]*?)```/g)];
  expect(shown).toHaveLength(count);
  const cwd = temporaryDirectory();
  for (const directory of ["config", "dynamic", "certs"]) mkdirSync(join(cwd, directory));
  const pair = await authority.issue({ names: ["mqtt.example.com"], notAfter: "21200101000000Z" });
  for (const name of ["mqtt", "mqtt.example.com"]) {
    copyFileSync(pair.cert, join(cwd, `certs/${name}.crt`));
    copyFileSync(pair.key, join(cwd, `certs/${name}.key`));
  }
  copyFileSync(authority.cert, join(cwd, "certs/devices-ca.crt"));
  writeFileSync(join(cwd, "dynamic/mqtt.yml"), yaml);
  const points = 'entryPoints: { mqtts: { address: ":8883" } }\n';
  writeFileSync(join(cwd, "config/sluice.yml"), `${points}providers: { file: { directory: dynamic } }\n`);
  const own = (text: string) => text.replace(/(issued by +).*/, "$1...").replace(/(expires +).*/, "$1...");
  for (const [, command, text] of shown) {
    const { stdout, stderr } = await sluiceCli(command!.split(" "), { cwd });
    expect({ stdout: own(stdout), stderr }).toEqual({ stdout: own(text!), stderr: "" });
  }
});
