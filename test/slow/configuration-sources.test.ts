// Sluice without a static file: variables and flags configure it, a sidecar needs two of them, and `check --print` says what came of it.

import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { Authority, type Pair } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { tlsClient } from "../support/clients.ts";
import { Command } from "../support/command.ts";
import { keytool } from "../support/key-stores.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { SLUICE } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const broker = await Mosquitto.start();

/** A pair under the names that Kubernetes gives to the files of a TLS secret; replaced in one step. */
function install(pair: Pair, directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [from, to] of [
    [pair.key, "tls.key"],
    [pair.cert, "tls.crt"],
  ] as const) {
    copyFileSync(from, join(directory, `.${to}`));
    renameSync(join(directory, `.${to}`), join(directory, to));
  }
}

async function sidecar(environment: Record<string, string>, args: readonly string[] = [], cwd = temporaryDirectory()) {
  const port = await freePort();
  const env = {
    SLUICE_SIDECAR: `127.0.0.1:${broker.port}`,
    SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: `127.0.0.1:${port}`,
    SLUICE_WORKERS: "1",
    SLUICE_ACCESSLOG: "true",
    ...environment,
  };
  const command = new Command(["run", ...args], { cwd, env });
  return { port, command, cwd };
}

/** One message through TLS, to whatever name the client calls the server. */
async function message(port: number, host: string): Promise<string> {
  const common = ["-h", host, "-p", String(port), "--cafile", authority.cert, "-t", "hello"];
  const sub = exec(["mosquitto_sub", ...common, "-C", "1", "-W", "20"]);
  await waitFor("the message to arrive", async () => {
    await exec(["mosquitto_pub", ...common, "-m", "world"]);
    return Promise.race([sub.then(() => true), new Promise<boolean>((done) => setTimeout(() => done(false), 100))]);
  });
  return (await sub).stdout;
}

const shown = async (port: number, servername: string) => {
  const socket = await tlsClient(port, { servername }).catch(() => null);
  const name = socket?.getPeerCertificate().subject.CN ?? null;
  socket?.destroy();
  return name;
};

describe("a sidecar", () => {
  test("with the broker's address and a certificate carries messages for every name, and for none", async () => {
    const pair = await authority.issue({ names: ["localhost"], extensions: "" });
    const { port } = await sidecar({ SLUICE_SIDECAR_CERTFILE: pair.cert, SLUICE_SIDECAR_KEYFILE: pair.key });
    await waitFor("Sluice", () => shown(port, "localhost"));
    expect(await message(port, "localhost")).toBe("world\n");
    for (const name of ["localhost", "any.example.com", ""]) expect(await shown(port, name)).toBe("localhost");
  });

  describe("takes its certificate from every source that a file could name", async () => {
    const directory = temporaryDirectory();
    const file = (name: string) => join(directory, name);
    const pair = await authority.issue({ names: ["localhost"], subject: "/CN=sidecar" });
    const openssl = async (...args: string[]) => expect((await exec(["openssl", ...args])).code).toBe(0);
    const store = ["-export", "-inkey", pair.key, "-in", pair.cert];
    await openssl("pkcs12", ...store, "-name", "wanted", "-passout", "pass:store-secret", "-out", file("one.p12"));
    await openssl("pkcs8", "-topk8", "-in", pair.key, "-passout", "pass:key-secret", "-out", file("sealed.key"));
    const jks = ["-keystore", file("two.jks"), "-storetype", "JKS", "-storepass", "store-secret"];
    const from = ["-srckeystore", file("one.p12"), "-srcstorepass", "store-secret", "-deststorepass", "store-secret"];
    await keytool("-importkeystore", ...from, "-destkeystore", file("two.jks"), "-deststoretype", "JKS");
    await keytool("-keypasswd", "-alias", "wanted", "-keypass", "store-secret", "-new", "key-secret", ...jks);
    await keytool(
      "-genkeypair",
      "-alias",
      "other",
      "-keyalg",
      "EC",
      "-dname",
      "CN=other",
      ...jks,
      "-keypass",
      "store-secret",
    );
    install({ cert: pair.cert, key: file("sealed.key") }, file("sealed"));
    writeFileSync(file("store-password"), "store-secret\n");
    writeFileSync(file("key-password"), "key-secret\n");
    const sources: [what: string, variables: Record<string, string>][] = [
      ["a PKCS#12 store", { KEYSTORE: file("one.p12"), KEYSTOREPASSWORD: "store-secret", KEYSTORETYPE: "pkcs12" }],
      [
        "a store with its password in a file",
        { KEYSTORE: file("one.p12"), KEYSTOREPASSWORDFILE: file("store-password") },
      ],
      [
        "one of several keys in JKS, with a password of its own",
        { KEYSTORE: file("two.jks"), KEYSTOREPASSWORD: "store-secret", KEYALIAS: "wanted", KEYPASSWORD: "key-secret" },
      ],
      ["an encrypted key", { CERTFILE: pair.cert, KEYFILE: file("sealed.key"), KEYPASSWORDFILE: file("key-password") }],
      ["a directory of encrypted keys", { CERTDIRECTORY: file("sealed"), KEYPASSWORD: "key-secret" }],
      ["a password from another variable", { CERTDIRECTORY: file("sealed"), KEYPASSWORD: "${OTHER}" }],
    ];
    const environmentOf = (variables: Record<string, string>): Record<string, string> => ({
      ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [`SLUICE_SIDECAR_${name}`, value])),
      OTHER: "key-secret",
    });
    // Real ones show that what is said is so: of a store, and of a directory.
    for (const [what, variables] of sources) {
      test(what, async () => {
        const env = { SLUICE_SIDECAR: `127.0.0.1:${broker.port}`, ...environmentOf(variables) };
        for (const sni of [["--sni", "localhost"], []]) {
          const { stdout, stderr } = await sluiceCli(["explain", "--json", ...sni], { cwd: directory, env });
          const { served, explanations } = JSON.parse(stdout);
          expect(served).toBeTrue();
          expect(explanations[0].certificates).toMatchObject([{ commonName: "sidecar" }]);
          expect(stdout + stderr).not.toMatch(/(?:store|key)-secret/);
        }
      });
      if (variables.KEYALIAS === undefined && variables.KEYPASSWORD !== "${OTHER}") continue;
      test(`${what}, of one that runs`, async () => {
        const { port, command } = await sidecar(environmentOf(variables));
        await waitFor("Sluice", () => shown(port, "localhost"));
        for (const name of ["localhost", ""]) expect(await shown(port, name)).toBe("sidecar");
        await command.stop();
        const { stdout, stderr } = await command.ended();
        expect(stdout + stderr).not.toMatch(/(?:store|key)-secret/);
      });
    }
  });

  test("with a certificate directory shows its pair to everyone, and a new pair as soon as it is there", async () => {
    const cwd = temporaryDirectory();
    install(await authority.issue({ names: ["localhost"], subject: "/CN=first" }), join(cwd, "certs"));
    const { port } = await sidecar({ SLUICE_SIDECAR_CERTDIRECTORY: "certs" }, [], cwd);
    await waitFor("Sluice", () => shown(port, "localhost"));
    for (const name of ["localhost", "any.example.com", ""]) expect(await shown(port, name)).toBe("first");
    expect(await message(port, "localhost")).toBe("world\n");
    install(await authority.issue({ names: ["localhost"], subject: "/CN=second" }), join(cwd, "certs"));
    await waitFor("the new pair", async () => (await shown(port, "any.example.com")) === "second");
  });

  test("with a development certificate needs no other, and is all flags", async () => {
    const port = await freePort();
    const command = new Command(
      [
        ...["--sidecar", String(broker.port), "--entrypoints.mqtts.address", `127.0.0.1:${port}`],
        ...["--developmentCertificate", "--workers=1", "--log.format=common"],
      ],
      { cwd: temporaryDirectory() },
    );
    await command.printed("terminate    HostSNI(`*`)  on mqtts  to sidecar");
    expect(await shown(port, "localhost")).toBe("localhost");
  });

  test("gives way to the routers of files", async () => {
    const pair = await authority.issue({ names: ["a.example.com", "b.example.com"] });
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, "dynamic"));
    writeFileSync(
      join(cwd, "dynamic/a.yml"),
      `tcp: { routers: { a: { rule: "HostSNI(\`a.example.com\`)", service: none, tls: {} } }, services: { none: { loadBalancer: {} } } }\n`,
    );
    const environment = { SLUICE_SIDECAR_CERTFILE: pair.cert, SLUICE_SIDECAR_KEYFILE: pair.key };
    const { port, command } = await sidecar({ ...environment, SLUICE_PROVIDERS_FILE_DIRECTORY: "dynamic" }, [], cwd);
    await waitFor("Sluice", () => shown(port, "b.example.com"));
    await shown(port, "a.example.com");
    await command.printed('"router":"a@file"');
    await command.printed('"router":"sidecar@internal"');
  });
});

test("a wrong variable or flag keeps Sluice from starting, and all of them are named", async () => {
  const command = new Command(["--entryPoint.mqtts.address=:1"], {
    cwd: temporaryDirectory(),
    env: { SLUICE_LOG_LEVL: "debug" },
  });
  expect(await command.ended()).toEqual({
    code: 1,
    stdout: "",
    stderr: `SLUICE_LOG_LEVL: unknown variable: log has no "LEVL" (did you mean "SLUICE_LOG_LEVEL"?) [setting-unknown]
--entryPoint.mqtts.address: unknown flag: the static configuration has no "entryPoint" (did you mean "--entryPoints.mqtts.address"?) [setting-unknown]
sluice: not started
`,
  });
});

test("flags may stand before the command, and a command without a configuration refuses them", async () => {
  const run = (...args: string[]) => sluiceCli(args, { cwd: temporaryDirectory() });
  expect(await run("--entryPoints.a.address", ":1", "check")).toMatchObject({ code: 0 });
  expect(await run("version", "--ping")).toMatchObject({ code: 1, stdout: "" });
  expect((await run("--version")).stdout).toBe((await run("version")).stdout);
  expect((await run("--configFile", "a.yml", "check", "--print")).stderr).toContain("a.yml: no such file");
  expect((await run("certs", "show", "--", "--a.pem")).stderr).toContain("--a.pem: no such file");
});

test("the variable SLUICE_CONFIGFILE names the static file, and --configFile goes before it", async () => {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "a.yml"), "entryPoints: { a: { address: ':1' } }\n");
  writeFileSync(join(cwd, "b.yml"), "entryPoints: { b: { address: ':1' } }\n");
  const run = async (...args: string[]) =>
    (await sluiceCli(["check", "--print", ...args], { cwd, env: { SLUICE_CONFIGFILE: "a.yml" } })).stdout;
  expect(await run()).toContain("  a:\n");
  expect(await run("--configfile=b.yml")).toContain("  b:\n");
  const { stdout } = await sluiceCli(["check", "--print"], { cwd, env: { sluice_configFile: "a.yml" } });
  expect(stdout).toContain("  a:\n");
});

test("healthcheck without any configuration asks the usual address, as in a container whose flags it does not know", async () => {
  // In a network of its own, where nothing listens there.
  const { code, stderr } = await exec(["unshare", "--net", SLUICE, "healthcheck"], { cwd: temporaryDirectory() });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining("http://127.0.0.1:8080/ping: ") as unknown as string,
  });
});

test("healthcheck knows from variables alone where to ask a Sluice that has the rest from flags", async () => {
  const port = await freePort();
  const env = { SLUICE_PING: "true", SLUICE_ENTRYPOINTS_TRAEFIK_ADDRESS: `127.0.0.1:${port}` };
  const cwd = temporaryDirectory();
  const flags = [`--entryPoints.mqtts.address=127.0.0.1:${await freePort()}`, "--workers=1", "--log.format=common"];
  const command = new Command(flags, { cwd, env });
  await command.printed("is ready");
  expect(await exec([SLUICE, "healthcheck"], { cwd, env })).toMatchObject({
    code: 0,
    stdout: `OK: http://127.0.0.1:${port}/ping\n`,
  });
});

describe("check --print", () => {
  const STATIC = `entryPoints:
  mqtts: { address: "127.0.0.1:8883", transport: { respondingTimeouts: { readTimeout: 1m30s } } }
providers: { file: { filename: dynamic.yml } }
metrics: { prometheus: {} }
workers: 3
`;
  const DYNAMIC = `tcp:
  routers:
    "on: # [x]": { rule: "HostSNI(\`a.example.com\`) ||\\n HostSNI(\`b.example.com\`)", service: two, priority: 7, tls: { options: devices } }
  services:
    one: { loadBalancer: { servers: [{ address: "[::1]:1883" }, { port: mqtt }], serversTransport: quick } }
    two: { weighted: { services: [{ name: one, weight: 2 }] } }
  serversTransports: { quick: { dialTimeout: 250ms, terminationDelay: "-1s" } }
tls:
  certificates: [{ keyStore: store.p12, keyStorePassword: hunter2, keyPassword: hunter3 }]
  options: { devices: { alpnProtocols: ["a,b", mqtt], clientAuth: { clientAuthType: RequestClientCert, caPassword: hunter4 } } }
`;

  async function print(directory: string, args: readonly string[] = [], env: Record<string, string> = {}) {
    const { stdout } = await sluiceCli(["check", "--print", ...args], { cwd: directory, env });
    return stdout;
  }

  test("is YAML that is both configurations, and printing it again gives the same", async () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "sluice.yml"), STATIC);
    writeFileSync(join(cwd, "dynamic.yml"), DYNAMIC);
    const printed = await print(cwd, ["--configFile=sluice.yml"], { SLUICE_LIMITS_MAXCONNECTIONS: "99" });
    const values = parse(printed);
    expect(values.entryPoints.mqtts.transport.respondingTimeouts.readTimeout).toBe("90s");
    expect(values.limits.maxConnections).toBe(99);
    expect(values.entryPoints.traefik.address).toBe("127.0.0.1:8080");
    expect(values.tcp.routers["on: # [x]"]).toMatchObject({ priority: 7, service: "two" });
    expect(values.tls.options.devices.alpnProtocols).toEqual(["a,b", "mqtt"]);
    writeFileSync(join(cwd, "both.yml"), printed);
    const again = await print(cwd, ["--configFile=both.yml", "--providers.file.filename=both.yml"]);
    values.providers.file.filename = "both.yml";
    expect(parse(again)).toEqual(values);
  });

  test("says of each value where it is from", async () => {
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, "sluice.yml"), STATIC);
    writeFileSync(join(cwd, "dynamic.yml"), DYNAMIC);
    const args = ["--configFile=sluice.yml", "--ping"];
    const printed = await print(cwd, args, { SLUICE_WORKERS: "2", SLUICE_PROVIDERS_FILE_WATCH: "false" });
    for (const line of [
      "    address: 127.0.0.1:8883  # sluice.yml:2:12",
      "    filename: dynamic.yml  # sluice.yml:3:22",
      "    watch: false  # SLUICE_PROVIDERS_FILE_WATCH",
      "    address: 127.0.0.1:8080  # sluice.yml:4:12",
      "  providersThrottleDuration: 200ms  # default",
      "  entryPoint: traefik  # default",
      'workers: "2"  # SLUICE_WORKERS',
      "          - name: one  # dynamic.yml:6:37",
    ])
      expect(printed.split("\n")).toContain(line);
  });

  test("shows no secret", async () => {
    const cwd = temporaryDirectory();
    const pair = await authority.issue({ names: ["a.example.com"] });
    const key = await Bun.file(pair.key).text();
    writeFileSync(join(cwd, "sluice.yml"), STATIC);
    writeFileSync(
      join(cwd, "dynamic.yml"),
      `${DYNAMIC.replace("hunter3 }", "hunter3 }, { certFile: a.crt, keyFile: INLINE }")}`.replace(
        "INLINE",
        JSON.stringify(key),
      ),
    );
    const printed = await print(cwd, ["--configFile=sluice.yml"], {
      SLUICE_CERTIFICATESRESOLVERS_LE_ACME_EAB_KID: "kid",
      SLUICE_CERTIFICATESRESOLVERS_LE_ACME_EAB_HMACENCODED: "aHVudGVyNQ",
      SLUICE_CERTIFICATESRESOLVERS_LE_ACME_EMAIL: "a@example.com",
      SLUICE_CERTIFICATESRESOLVERS_LE_ACME_TLSCHALLENGE: "true",
    });
    expect(printed).not.toMatch(/hunter|aHVudGVyNQ|PRIVATE/);
    expect(printed.match(/\*{8}/g)).toHaveLength(5);
  });

  test("shows exactly what a sidecar stands for", async () => {
    const cwd = temporaryDirectory();
    install(await authority.issue({ names: ["localhost"], notAfter: "21200101000000Z" }), join(cwd, "certs"));
    const printed = await print(cwd, [], { SLUICE_SIDECAR: "mosquitto:1883", SLUICE_SIDECAR_CERTDIRECTORY: "certs" });
    const values = parse(printed);
    expect(values.entryPoints).toMatchObject({ mqtts: { address: ":8883" } });
    expect(values.tcp).toMatchObject({
      routers: { sidecar: { rule: "HostSNI(`*`)", service: "sidecar", tls: {} } },
      services: { sidecar: { loadBalancer: { servers: [{ address: "mosquitto:1883" }] } } },
    });
    expect(values.tls.certificateDirectories).toEqual([{ directory: "certs", default: true }]);
    expect(printed).toContain("          - address: mosquitto:1883  # SLUICE_SIDECAR\n");
    expect(printed).toEndWith("# The configuration is sound.\n");
  });
});
