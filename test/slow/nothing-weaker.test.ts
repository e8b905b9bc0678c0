// No mistake lets in more than before: whatever is wrong with a strict router at a reload, its names never fall to a catch-all that asks
// for less. Either what served goes on, or the router keeps its names and refuses.

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Backend, greeting } from "../support/backend.ts";
import { Authority } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { ROOT, Sluice } from "../support/sluice.ts";
import { exec, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const devices = await Authority.create("Devices");
const pair = await authority.issue({ names: ["strict.test", "open.test"] });
const device = await devices.issue({ names: [], usage: "clientAuth", subject: "/CN=device" });
const backend = await Backend.start("broker");

const STRICT = "rule: 'HostSNI(`strict.test`)', service: broker, entryPoints: [mqtts], tls: { options: strict }";
const OPTIONS = `strict: { clientAuth: { caFiles: [${devices.cert}] } }`;
/** A catch-all that asks nobody for a certificate, beside the strict router. */
const routes = (strict: string, { name = "strict", options = OPTIONS, more = "" } = {}) => `
tcp:
  routers:
    all: { rule: 'HostSNI(\`*\`)', service: broker, tls: {} }
    ${name}: { ${strict} }
${more}
  services: { broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls:
  options: { ${options} }
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
`;

const sluice = await Sluice.start({ dynamic: routes(STRICT) });
const certificate = { cert: readFileSync(device.cert, "utf8"), key: readFileSync(device.key, "utf8") };

/** The name of the backend that greets a client for this name; null when it is refused. */
async function reached(servername: string, own: { cert?: string; key?: string } = {}): Promise<string | null> {
  const socket = await tlsClient(sluice.port, { servername, ...own }).catch(() => null);
  if (socket === null) return null;
  // With TLS 1.3 a refusal may come after the handshake.
  let heard = "";
  await new Promise<void>((over) => {
    socket.on("data", (chunk: Buffer) => {
      heard += chunk;
      if (heard === greeting(backend.name)) over();
    });
    for (const end of ["end", "close", "error"]) socket.on(end, () => over());
  });
  socket.destroy();
  return heard === greeting(backend.name) ? backend.name : null;
}

const stranger = () => reached("strict.test");
const member = () => reached("strict.test", certificate);

/** Changes something, and waits until a load has come to an end, whichever. */
async function change(what: () => unknown): Promise<void> {
  const loads = () => sluice.lines.filter(({ msg }) => /^(the )?configuration (is not )?loaded/.test(msg)).length;
  const before = loads();
  await what();
  await waitFor("a load", () => loads() > before);
  // What it brings is in force in the worker by then, or a moment later.
  await waitFor("the workers to have it", async () => {
    const published = sluice.lines.filter(({ msg }) => msg === "configuration loaded").at(-1)?.version ?? 1;
    return sluice.lines.some(({ msg, version }) => msg === "snapshot in force" && Number(version) >= Number(published));
  });
}

const restore = () => change(() => sluice.write("dynamic.yml", routes(STRICT)));
const rule = (text: string) => routes(STRICT.replace("HostSNI(`strict.test`)", text));

describe("a mistake in a strict router", () => {
  const mistakes: [what: string, text: string, expected: "goes on" | "refuses"][] = [
    ["two names in one HostSNI, as in Traefik v2", rule("HostSNI(`strict.test`, `b.test`)"), "goes on"],
    ["a rule that ends too soon", rule("HostSNI(`strict.test`"), "goes on"],
    ["an unknown matcher", rule("HostSNIs(`strict.test`)"), "goes on"],
    ["no rule", routes(STRICT.replace(/rule: '[^']*', /, "")), "goes on"],
    ["an empty rule", rule(""), "goes on"],
    ["a rule in v2 syntax", routes(`${STRICT}, ruleSyntax: v2`), "goes on"],
    ["no entry point that exists", routes(STRICT.replace("[mqtts]", "[mqtt]")), "goes on"],
    ["the entry point of /ping", routes(STRICT.replace("[mqtts]", "[traefik]")), "goes on"],
    ["a name with @", routes(STRICT, { name: "strict@file" }), "goes on"],
    ["an unknown field", routes(`${STRICT}, tsl: {}`), "goes on"],
    ["a field that is no list", routes(STRICT.replace("[mqtts]", "{}")), "goes on"],
    ["a priority that is no number", routes(`${STRICT}, priority: high`), "goes on"],
    ["the same key twice", routes(STRICT, { more: `    strict: { ${STRICT} }` }), "goes on"],
    ["broken YAML", `${routes(STRICT)}\n  x: [`, "goes on"],
    ["no service", routes(STRICT.replace("service: broker, ", "")), "refuses"],
    ["a service that does not exist", routes(STRICT.replace("service: broker", "service: brocker")), "refuses"],
    ["a middleware that does not exist", routes(`${STRICT}, middlewares: [m]`), "refuses"],
    ["TLS options that do not exist", routes(STRICT.replace("options: strict", "options: strikt")), "refuses"],
    [
      "TLS options without authorities",
      routes(STRICT, { options: "strict: { clientAuth: { clientAuthType: RequireAndVerifyClientCert } }" }),
      "refuses",
    ],
    ["an empty list of authorities", routes(STRICT, { options: "strict: { clientAuth: { caFiles: [] } }" }), "refuses"],
    ["clientAuth with nothing behind it", routes(STRICT, { options: "strict: { clientAuth: }" }), "refuses"],
    [
      "an authority that is not there",
      routes(STRICT, { options: "strict: { clientAuth: { caFiles: [gone.crt] } }" }),
      "goes on",
    ],
    ["no tls section", routes(STRICT.replace(/, tls: .*/, "")), "refuses"],
  ];
  for (const [what, text, expected] of mistakes)
    test(`${what}: ${expected === "goes on" ? "what served goes on" : "it keeps its names, and refuses"}`, async () => {
      await change(() => sluice.write("dynamic.yml", text));
      expect(await stranger()).toBeNull();
      expect(await member()).toBe(expected === "goes on" ? "broker" : null);
      // Another router is as it was.
      expect(await reached("open.test")).toBe("broker");
      await restore();
      expect(await member()).toBe("broker");
    });

  test("a start with a rule that cannot be read fails, and says where", async () => {
    const failed = Sluice.start({ dynamic: rule("HostSNI(`strict.test`, `b.test`)") });
    await expect(failed).rejects.toThrow(/dynamic\.yml:5:\d+: the router "strict" refuses the load: its rule/);
  });

  test("a copy of its file that goes before it does not take its place", async () => {
    const copy = rule("HostSNI(`copy.test`)").replace("    all:", "    other:").replace("broker: {", "broker2: {");
    await change(() => sluice.write("copy.yml", copy));
    expect(await stranger()).toBeNull();
    expect(await member()).toBe("broker");
    await change(() => rmSync(join(sluice.dynamicDirectory, "copy.yml")));
  });

  test("one misspelled entry point among several does not leave its names on the one that was meant to others", async () => {
    const two = await Sluice.start({
      dynamic: routes(STRICT.replace("[mqtts]", "[mqtts, more]")),
      entryPoint: `  more: { address: "127.0.0.1:0" }`,
    });
    const refused = "the configuration is not loaded: what served before goes on serving";
    two.write("dynamic.yml", routes(STRICT.replace("[mqtts]", "[mqtts, moer]")));
    await two.logged(refused);
    await two.logged("it was on more, and now names an entry point that does not exist instead");
    await two.stop();
  });
});

describe("what has vanished is not empty", () => {
  const file = () => join(sluice.dynamicDirectory, "dynamic.yml");
  const away = `${sluice.dynamicDirectory}.away`;
  const instead = (path: () => string, put: (path: string) => unknown) => () => {
    renameSync(path(), away);
    return put(path());
  };
  const directory = () => sluice.dynamicDirectory;
  for (const [what, spoil] of [
    ["a file that is emptied", () => truncateSync(file())],
    ["a file that is a directory", instead(file, (path) => mkdirSync(path))],
    ["a file that is a pipe", instead(file, (path) => exec(["mkfifo", path]))],
    ["the only file, removed", () => rmSync(file())],
    ["the directory, renamed", instead(directory, () => {})],
    ["the directory, in the place of which there is an empty one", instead(directory, (path) => mkdirSync(path))],
    [
      "the directory, full of loops and with a link that leads out of it",
      () => {
        for (const name of ["a", "b", "c"]) symlinkSync(".", join(sluice.dynamicDirectory, name));
        symlinkSync(join(ROOT, "docs"), join(sluice.dynamicDirectory, "out"));
        truncateSync(file());
      },
    ],
  ] as const)
    test(`${what}: what served goes on, and it comes back`, async () => {
      cpSync(sluice.dynamicDirectory, `${sluice.directory}/saved`, { recursive: true });
      await change(spoil);
      expect(await member()).toBe("broker");
      expect(await stranger()).toBeNull();
      expect(await sluice.metric("sluice_config_last_reload_successful")).toBe(0);
      rmSync(away, { recursive: true, force: true });
      rmSync(sluice.dynamicDirectory, { recursive: true, force: true });
      await change(() => renameSync(`${sluice.directory}/saved`, sluice.dynamicDirectory));
      expect(await member()).toBe("broker");
      expect(await sluice.metric("sluice_config_last_reload_successful")).toBe(1);
    });

  test("a file that is empty on purpose takes everything away, with a warning in the log and in check", async () => {
    await change(() => sluice.write("dynamic.yml", "{}\n"));
    expect(await member()).toBeNull();
    await sluice.logged("there is no router: every connection is refused");
    await sluice.logged('no router uses the entry point "mqtts"');
    const { code, stderr } = await exec([sluice.binary, "check", `--configFile=${sluice.directory}/sluice.yml`]);
    expect(code).toBe(0);
    expect(stderr).toContain("there is no router: every connection is refused");
    expect(stderr).toContain('no router uses the entry point "mqtts"');
    await restore();
    expect(await member()).toBe("broker");
  });
});
