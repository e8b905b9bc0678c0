// Folders of devices: what their READMEs say connects through a running Sluice, tables of devices are made in one run, and renewed whole.

import { afterAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { FAMILY_NAMES } from "../../src/fleet/names.ts";
import { readStore } from "../../src/keystores/read.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const cwd = temporaryDirectory();
const run = (...args: string[]) => sluiceCli(["certs", ...args], { cwd });
const certs = async (...args: string[]) => {
  const finished = await run(...args);
  if (finished.code !== 0) throw new Error(finished.stderr);
  return finished;
};
const file = (...parts: string[]) => join(cwd, ...parts);
const text = (...parts: string[]) => readFileSync(file(...parts), "utf8");
/** The blocks of code of a README, in that language. */
const blocks = (folder: string, language: string) =>
  [...text(folder, "README.md").matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code!);

await certs("init");
await certs("server", "localhost", "127.0.0.1");
const broker = await Mosquitto.start();
const sluice = await Sluice.start({
  dynamic: JSON.stringify({
    tcp: {
      routers: { mqtt: { rule: "HostSNI(`*`)", service: "broker", tls: {} } },
      services: { broker: { loadBalancer: { servers: [{ port: broker.port }] } } },
    },
    tls: {
      certificates: [{ certFile: file("servers/localhost/server.crt"), keyFile: file("servers/localhost/server.key") }],
      options: {
        default: {
          clientAuth: { caFiles: [file("authority/ca.crt")], clientAuthType: "RequireAndVerifyClientCert" },
        },
      },
    },
  }),
});
const server = `localhost:${sluice.port}`;
const listener: MqttClient = await connectAsync(`mqtt://127.0.0.1:${broker.port}`);
const messages: string[] = [];
listener.on("message", (topic, payload) => messages.push(`${topic} ${payload}`));
await listener.subscribeAsync("#");
afterAll(() => listener.endAsync(true));

/** Awaits one message more that reads so, which an action sends. */
async function arrives(message: string, action: () => Promise<unknown>): Promise<void> {
  const before = messages.filter((each) => each === message).length;
  await action();
  await waitFor(`the message ${message}`, () => messages.filter((each) => each === message).length > before);
}

test("the command in the README of mosquitto, thingsboard and tempus publishes through Sluice as it is printed", async () => {
  for (const [family, message] of [
    ["mosquitto", "hello world"],
    ["thingsboard", 'v1/devices/me/telemetry {"temperature":25}'],
    ["tempus", 'v1/devices/me/telemetry {"temperature":25}'],
  ] as const) {
    const name = `it's ${family} "日本"`;
    await certs("client", name, `--for=${family}`, `--host=${server}`);
    const folder = join("clients", readdirSync(file("clients")).find((each) => each.includes(family))!);
    const [command] = blocks(folder, "sh");
    await arrives(message, async () => {
      expect(await exec(["sh", "-e", "-c", command!], { cwd: file(folder) })).toMatchObject({ code: 0, stderr: "" });
    });
  }
});

test("the program in the README of paho-python publishes through Sluice as it is printed", async () => {
  await certs("client", "py'\"1", "--for=paho-python", `--host=${server}`, "--key=rsa");
  const folder = join("clients", readdirSync(file("clients")).find((each) => each.startsWith("py"))!);
  const [program] = blocks(folder, "python");
  await arrives("hello world", async () => {
    expect(await exec(["/usr/bin/python3", "-c", program!], { cwd: file(folder) })).toMatchObject({
      code: 0,
      stderr: "",
    });
  });
});

test("MQTT.js connects with the files of mqttx, and with the key store of generic", async () => {
  await certs("client", "js-1", "--for=mqttx", `--host=${server}`);
  await certs("client", "js-2", "--for=generic", `--host=${server}`);
  const of = (name: string, end: string) => readFileSync(file("clients", name, end));
  const converted = file("js-2.pem");
  const password = `--passwordFile=${file("clients/js-2/password.txt")}`;
  await certs("convert", "clients/js-2/client.p12", converted, password, "--alias=client");
  for (const files of [
    { ca: of("js-1", "ca.crt"), cert: of("js-1", "client.crt"), key: of("js-1", "client.key") },
    { ca: of("js-2", "ca.crt"), cert: readFileSync(converted), key: readFileSync(converted) },
  ]) {
    const client = await connectAsync({ protocol: "mqtts", host: "localhost", port: sluice.port, ...files });
    await arrives("js here", () => client.publishAsync("js", "here", { qos: 1 }));
    await client.endAsync();
  }
});

test("a folder is renewed whole: each of its files is new, for the same server and with the same password", async () => {
  // All families: fleet.long.test.ts.
  for (const family of ["mosquitto", "android", "esp32"]) {
    const name = `renewed-${family}`;
    const folder = file("clients", name);
    await certs("client", name, `--for=${family}`, "--host=edge.example:8884");
    const before = new Map(readdirSync(folder).map((each) => [each, readFileSync(join(folder, each))]));
    await certs("renew", name);
    expect(readdirSync(folder).sort()).toEqual([...before.keys()].sort());
    const same = [...before]
      .filter(([each, content]) => content.equals(readFileSync(join(folder, each))))
      .map(([each]) => each);
    // Whom to trust and where to connect to has not changed, nor what the device has been told.
    expect(same.filter((each) => !/^ca\.|^qr\.png$|^password\.txt$|^README\.md$/.test(each))).toEqual([]);
    expect(same.includes("password.txt")).toBe(before.has("password.txt"));
    expect(text("clients", name, "README.md")).toContain("edge.example");
  }
});

test("--sameKey keeps the key in PEM, DER and key stores", async () => {
  const spki = async (path: string) => {
    const password = existsSync(join(path, "../password.txt"))
      ? [`--passwordFile=${join(path, "../password.txt")}`]
      : [];
    const out = `${path}.pem`;
    rmSync(out, { force: true });
    await certs(
      "convert",
      path,
      out,
      ...password,
      ...(path.endsWith("s") || path.endsWith("12") ? ["--alias=client"] : []),
    );
    return (await exec(["openssl", "pkey", "-in", out, "-pubout"])).stdout;
  };
  for (const [family, keyFile] of [
    ["mosquitto", "client.key"],
    ["esp32", "client-key.der"],
    ["android", "client.bks"],
  ] as const) {
    const name = `same-${family}`;
    await certs("client", name, `--for=${family}`);
    const path = file("clients", name, keyFile);
    const [key, serial] = [await spki(path), JSON.parse(text("clients", name, "sluice.json")).serial];
    rmSync(`${path}.pem`);
    await certs("renew", name, "--sameKey");
    expect(JSON.parse(text("clients", name, "sluice.json")).serial).not.toBe(serial);
    expect(await spki(path)).toBe(key);
  }
});

test("a password of the operator's own is in no file, and a renewal asks for the same one", async () => {
  writeFileSync(file("pass"), "correct horse\n");
  writeFileSync(file("other"), "wrong horse\n");
  await certs("client", "own", "--for=paho-java", "--storePasswordFile=pass");
  expect(existsSync(file("clients/own/password.txt"))).toBe(false);
  expect(readStore(readFileSync(file("clients/own/client.p12")), "correct horse").kind).toBe("ok");
  expect(await run("renew", "own")).toMatchObject({
    code: 1,
    stderr:
      "clients/own: its key stores have a password of yours: give --storePasswordFile FILE or --storePasswordEnv NAME\n",
  });
  expect(await run("renew", "own", "--storePasswordFile=other")).toMatchObject({
    code: 1,
    stderr: "clients/own: its key stores have another password\n",
  });
  await certs("renew", "own", "--storePasswordFile=pass");
  expect(readStore(readFileSync(file("clients/own/client.p12")), "correct horse").kind).toBe("ok");
  // One that was made, and whose file was put into a safe.
  await certs("client", "safe", "--for=paho-java");
  const made = text("clients/safe/password.txt").trim();
  rmSync(file("clients/safe/password.txt"));
  expect((await run("renew", "safe")).stderr).toStartWith(
    "clients/safe/password.txt is not there, or empty: give --storePassword",
  );
  writeFileSync(file("pass"), made);
  await certs("renew", "safe", "--storePasswordFile=pass");
  expect(existsSync(file("clients/safe/password.txt"))).toBe(false);
});

test("a table is made in one run, and the next run makes what has been added to it", async () => {
  writeFileSync(
    file("devices.csv"),
    '\ufeffname;for;days;key;uri\r\nGerät 1;android;30;;\r\nt-2;;;rsa;urn:plant:7\r\n"t;3";esp32;;;\r\n',
  );
  const first = await certs("client", "--from=devices.csv", "--out=table", "--host=edge.example");
  expect(first.stdout).toBe("devices.csv: 3 devices made\n");
  expect(readdirSync(file("table")).sort()).toEqual(["Gerät 1", "t-2", "t;3"].sort());
  expect(readdirSync(file("table/t-2")).sort()).toEqual(["ca.crt", "client.crt", "client.key"]);
  const shown = await exec(["openssl", "x509", "-in", file("table/t-2/client.crt"), "-noout", "-text"]);
  expect(shown.stdout).toContain("DNS:t-2, URI:urn:plant:7");
  expect(shown.stdout).toContain("Public-Key: (2048 bit)");
  const [before, key] = [text("table/Gerät 1/sluice.json"), statSync(file("table/Gerät 1/client.bks"))];
  expect(key.mode & 0o777).toBe(0o600);
  writeFileSync(file("devices.csv"), `${text("devices.csv")}t-4;mosquitto;;;\r\n`);
  const second = await certs("client", "--from=devices.csv", "--out=table", "--host=edge.example");
  expect(second.stdout).toBe("devices.csv: 1 device made, 3 were there already\n");
  expect(text("table/Gerät 1/sluice.json")).toBe(before);
  const json = await certs("client", "--from=devices.csv", "--out=table", "--json", "--force", "--host=edge.example");
  expect(JSON.parse(json.stdout).map(({ commonName }: { commonName: string }) => commonName)).toEqual([
    ...["Gerät 1", "t-2", "t;3", "t-4"],
  ]);
});

test("nothing is issued by a table with a mistake in it, or over a folder that is something else", async () => {
  writeFileSync(file("bad.csv"), "name,for,days\nok,,\nx,andriod,\nok,,many\n");
  const count = async () => (await certs("list", "--authority=authority", "--json")).stdout.length;
  const before = await count();
  expect(await run("client", "--from=bad.csv", "--out=bad")).toEqual({
    ...{ code: 1, stdout: "" },
    stderr: [
      `bad.csv:3: for: 'andriod' is no family (did you mean "android"?): take ${FAMILY_NAMES.join(", ")}`,
      "bad.csv:4: days: a number from 1 to 36500, and not 'many'",
      "bad.csv:4: name: 'ok' is in line 2 too",
      "nothing is issued",
      "",
    ].join("\n"),
  });
  writeFileSync(file("good.csv"), "name\nfresh\ntaken\n");
  await certs("client", "taken", "--for=mosquitto", "--out=mixed");
  const between = await count();
  const refused =
    "mixed/taken/client.key is there already: sluice certs renew replaces it, and --force makes another one\n";
  expect(await run("client", "--from=good.csv", "--out=mixed")).toMatchObject({ code: 1, stderr: refused });
  expect(await count()).toBe(between);
  expect(between).toBeGreaterThan(before);
  expect(existsSync(file("mixed/fresh"))).toBe(false);
});

test("a folder in which a killed run has left half of what it was replacing is made whole by the table, and by renew", async () => {
  writeFileSync(file("half.csv"), "name\nhalf-1\nhalf-2\n");
  const table = ["client", "--from=half.csv", "--for=mosquitto", "--out=half"];
  await certs(...table);
  const [one, two] = [text("half/half-1/client.crt"), text("half/half-2/client.crt")];
  writeFileSync(file("half/half-1/client.crt.4711.tmp"), "a new one that was never put in place");
  writeFileSync(file("half/half-1/notes.4711.tmp"), "not Sluice's");
  expect((await certs(...table)).stdout).toBe("half.csv: 1 device made, 1 was there already\n");
  expect([text("half/half-1/client.crt") === one, text("half/half-2/client.crt") === two]).toEqual([false, true]);
  expect(readdirSync(file("half/half-1")).filter((each) => each.endsWith(".tmp"))).toEqual(["notes.4711.tmp"]);
  writeFileSync(file("half/half-2/client.key.12.tmp"), "a key that nobody has");
  await certs("renew", "half-2", "--clients=half");
  expect(existsSync(file("half/half-2/client.key.12.tmp"))).toBe(false);
});

test("--store and --legacy of a table are for the rows that can have them, and refused where none can", async () => {
  writeFileSync(file("mixed.csv"), "name,for\nm-1,Mosquitto\nm-2,thingsboard\nm-3,\n");
  await certs("client", "--from=mixed.csv", "--store=p12", "--legacy", "--out=options");
  expect(readdirSync(file("options/m-2"))).toContain("client.p12");
  const manifests = ["m-1", "m-2"].map((name) => JSON.parse(text("options", name, "sluice.json")));
  expect(manifests.map(({ store, legacy }) => [store, legacy])).toEqual([
    [null, null],
    ["p12", "rc2"],
  ]);
  expect(readdirSync(file("options/m-3")).sort()).toEqual(["ca.crt", "client.crt", "client.key"]);
  expect((await certs("client", "--from=mixed.csv", "--store=p12", "--legacy", "--out=options")).stdout).toBe(
    "mixed.csv: 0 devices made, 3 were there already\n",
  );
  writeFileSync(file("plain.csv"), "name,for\np-1,mosquitto\np-2,mqttx\n");
  expect((await run("client", "--from=plain.csv", "--store=jks", "--host=edge")).stderr).toBe(
    "--store is for families with key stores, and not for mosquitto, mqttx\n",
  );
});

test("a device of a table that is there and revoked is not passed over in silence", async () => {
  writeFileSync(file("gone.csv"), "name\ngone\nstays\n");
  const table = ["client", "--from=gone.csv", "--for=mosquitto", "--out=gone", "--host=edge.example"];
  await certs(...table);
  await certs("revoke", "gone");
  expect(await certs(...table)).toMatchObject({
    stdout: "gone.csv: 0 devices made, 2 were there already\n",
    stderr: "note: gone is there already, and revoked: with --force it gets a new certificate\n",
  });
});

test("--force for another family leaves nothing of the former one, and what is not Sluice's stays", async () => {
  await certs("client", "moved", "--for=android");
  writeFileSync(file("clients/moved/notes.txt"), "mine");
  await certs("client", "moved", "--for=mosquitto", "--force");
  expect(readdirSync(file("clients/moved")).sort()).toEqual(
    ["README.md", "ca.crt", "client.crt", "client.key", "notes.txt", "sluice.json"].sort(),
  );
});

test("what cannot be made is refused, with what to do", async () => {
  writeFileSync(file("empty"), "\n");
  const refusal = async (...args: string[]) => (await run("client", ...args)).stderr.replace(/^note: .*\n/gm, "");
  for (const [args, said] of [
    [[], "name the clients, or give --from FILE for a table of them\n"],
    [["x", "--from=devices.csv"], "name the clients, or give --from FILE for a table of them\n"],
    [["x", "--for=ardunio"], `--for is one of ${FAMILY_NAMES.join(", ")}, and not 'ardunio'\n`],
    [["x", "--for=androd"], `--for is one of ${FAMILY_NAMES.join(", ")}, and not 'androd' (did you mean "android"?)\n`],
    [["x", "--host=edge"], "--host is of use only with --for\n"],
    [["x", "--for=mosquitto", "--store=jks"], "--store is for families with key stores, and not for mosquitto\n"],
    [["x", "--for=android", "--store=pfx"], "--store is one of p12, jks, bks, bks-v1, and not 'pfx'\n"],
    [["x", "--for=thingsboard", "--legacy"], "--legacy is for PKCS#12, which thingsboard gets only with --store p12\n"],
    [["x", "--for=esp32", "--legacy"], "--legacy is for PKCS#12, which esp32 gets none of\n"],
    [["x", "--for=paho-java", "--legacy=aes"], "--legacy is rc2 or 3des, and not 'aes'\n"],
    [
      ["x", "--for=esp32", "--keyPasswordFile=pass"],
      "esp32 has its key in files that no password protects: leave --keyPasswordFile out\n",
    ],
    [
      ["x", "--for=mosquitto", "--storePasswordFile=pass"],
      "--storePassword is for families with key stores, and there are none\n",
    ],
    [["x", "--for=mosquitto", "--host=mqtts://edge:8883"], "--host: "],
    [["x", "--for=mosquitto", "--host=edge:0"], "--host is HOST or HOST:PORT, and not 'edge:0'\n"],
    [["x", "--for=mosquitto", "--host=*.example.com"], "--host is HOST or HOST:PORT, and not '*.example.com'\n"],
    [["x", "--for=mosquitto", "--host=a b"], "--host: "],
    [["x", "--for=android", "--storePasswordFile=empty"], "the password of the key stores is empty: "],
    [["--from=none.csv"], `${file("none.csv")}: no such file\n`],
  ] as const)
    expect(await refusal(...args)).toStartWith(said);
  expect(existsSync(file("clients/x"))).toBe(false);
});

test("the one server of an authority stands in the READMEs by itself", async () => {
  const { stderr } = await certs("client", "guessed", "--for=mosquitto");
  expect(stderr).toStartWith(
    "note: the READMEs are for localhost, the one server of this authority: --host is for another one\n",
  );
  expect(text("clients/guessed/README.md")).toContain("localhost:8883");
  await certs("client", "idna", "--for=mosquitto", "--host=bücher.example:1884");
  expect(text("clients/idna/README.md")).toContain("mosquitto_pub -h xn--bcher-kva.example -p 1884");
  await certs("client", "six", "--for=mqttx", "--host=2001:db8::1");
  expect(text("clients/six/README.md")).toContain("`[2001:db8::1]:8883`");
});
