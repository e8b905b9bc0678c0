// providers.file.poll: on a file system that sends no events (bindfs, which is FUSE; what is changed beneath it is changed elsewhere),
// configuration and certificates are looked at again and again. Without it nothing is noticed, and a warning says so.

import { expect, test } from "bun:test";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { tcpServer, tlsClient } from "../support/clients.ts";
import { echo } from "../support/echo.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const backend = await tcpServer(echo);
const ROOT_ONLY = process.getuid?.() === 0 ? test : test.skip;

/** A server's directory, and where it is mounted for Sluice alone: in a mount namespace of its own. */
async function mounted(poll: string | null) {
  const root = temporaryDirectory();
  const [server, mount] = [join(root, "server"), join(root, "mount")];
  for (const path of [server, join(server, "dynamic"), join(server, "certs"), mount]) mkdirSync(path);
  const routes = (...hosts: string[]) => `
tcp:
  routers:
${hosts.map((host, index) => `    r${index}: { rule: "HostSNI(\`${host}\`)", service: echo, tls: {} }`).join("\n")}
  services: { echo: { loadBalancer: { servers: [{ port: ${backend.port} }] } } }
tls: { certificates: [{ certFile: ${mount}/certs/tls.crt, keyFile: ${mount}/certs/tls.key }] }
`;
  const put = async () => {
    const pair = await authority.issue({ names: ["a.test", "b.test"] });
    for (const [from, to] of [
      [pair.cert, "tls.crt"],
      [pair.key, "tls.key"],
    ] as const)
      renameSync(from, join(server, "certs", to));
  };
  await put();
  writeFileSync(join(server, "dynamic/mqtt.yml"), routes("a.test"));
  const sluice = await Sluice.start({
    dynamic: "# not read\n",
    env: { SLUICE_PROVIDERS_FILE_DIRECTORY: `${mount}/dynamic`, SLUICE_PROVIDERS_FILE_POLL: poll ?? "" },
    within: ["unshare", "-m", "sh", "-c", `bindfs ${server} ${mount} && exec "$@"`, "sh"],
  });
  return {
    sluice,
    server,
    mount,
    put,
    write: (text: string) => writeFileSync(join(server, "dynamic/mqtt.yml"), text),
    routes,
  };
}

async function serial(sluice: Sluice, servername: string): Promise<string | null> {
  const socket = await tlsClient(sluice.port, { servername }).catch(() => null);
  const { serialNumber } = socket?.getPeerCertificate() ?? {};
  socket?.destroy();
  return serialNumber ?? null;
}

ROOT_ONLY("with poll, configuration and certificates that are changed elsewhere are in force soon", async () => {
  const { sluice, server, put, write, routes } = await mounted("200ms");
  const first = await serial(sluice, "a.test");
  expect(first).not.toBeNull();
  expect(await serial(sluice, "b.test")).toBeNull();

  write(routes("a.test", "b.test"));
  await waitFor("the new router", async () => (await serial(sluice, "b.test")) !== null);
  await put();
  await waitFor("the new certificate", async () => (await serial(sluice, "a.test")) !== first);
  writeFileSync(
    join(server, "dynamic/more.yml"),
    routes("c.test").replaceAll("r0", "more").replaceAll("echo", "echo2"),
  );
  await waitFor("the router of a new file", async () => (await serial(sluice, "c.test")) !== null);
  // As Kubernetes swaps a volume: one link in place of another.
  for (const version of ["v1", "v2"]) mkdirSync(join(server, version));
  writeFileSync(join(server, "v1/linked.yml"), routes("d.test").replaceAll("r0", "linked").replaceAll("echo", "echo3"));
  writeFileSync(join(server, "v2/linked.yml"), routes("e.test").replaceAll("r0", "linked").replaceAll("echo", "echo3"));
  symlinkSync("v1", join(server, "..data"));
  symlinkSync("../..data/linked.yml", join(server, "dynamic/linked.yml"));
  await waitFor("what the link leads to", async () => (await serial(sluice, "d.test")) !== null);
  symlinkSync("v2", join(server, "next"));
  renameSync(join(server, "next"), join(server, "..data"));
  await waitFor("what it leads to then", async () => (await serial(sluice, "e.test")) !== null);
  expect(sluice.lines.some(({ code }) => code === "file-system-silent")).toBe(false);
});

ROOT_ONLY(
  "without it a warning suggests it, at the start and in check, and SIGHUP loads what has changed",
  async () => {
    const { sluice, mount, write, routes } = await mounted(null);
    const warning = await sluice.logged("is on FUSE, which may send no events");
    expect(warning).toMatchObject({ level: "warn", code: "file-system-silent" });
    expect(warning.msg).toContain("providers.file.poll");
    write(routes("a.test", "b.test"));
    // The kernel remembers for a second what it was told of the file: as an operator would, one tries again.
    await waitFor("the new router", async () => {
      process.kill(sluice.masterPid, "SIGHUP");
      return (await serial(sluice, "b.test")) !== null;
    });
    const args = [sluice.binary, "check", `--configFile=${sluice.directory}/sluice.yml`];
    const inside = ["nsenter", "-t", String(sluice.masterPid), "-m", `--wdns=${sluice.directory}`];
    const { stderr } = await exec([...inside, ...args], {
      env: { SLUICE_PROVIDERS_FILE_DIRECTORY: `${mount}/dynamic` },
    });
    expect(stderr).toContain("[file-system-silent]");
  },
);
