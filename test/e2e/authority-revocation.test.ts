// `sluice certs revoke` beside a running Sluice: the client is refused from then on, and its open connections end.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { parse } from "yaml";
import { Backend } from "../support/backend.ts";
import { sluiceCli } from "../support/cli.ts";
import { stayingClient } from "../support/clients.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

/** What types `sluice certs` in a directory, and gives what is printed; it must succeed. */
const certsIn =
  (cwd: string) =>
  async (...args: string[]): Promise<string> => {
    const finished = await sluiceCli(["certs", ...args], { cwd });
    if (finished.code !== 0) throw new Error(finished.stderr);
    return finished.stdout;
  };

for (const init of [[], ["--intermediate"]])
  test(`a revoked client is cut and refused, and others stay (certs init ${init.join("")})`, async () => {
    const cwd = temporaryDirectory();
    const [authority, out] = [join(cwd, "authority"), join(cwd, "out")];
    const certs = certsIn(cwd);
    await certs("init", `--dir=${authority}`, ...init);
    const lines = await certs("server", "edge.test", `--authority=${authority}`, `--out=${out}`);
    await certs("client", "dev-1", "dev-2", `--authority=${authority}`, `--out=${out}`);
    // The lines as they are printed, and what is a comment in them taken in.
    const { tls } = parse(lines.replaceAll(/^ {2}# (?!To let)/gm, "  "));
    expect(parse(lines).tls.options).toBeUndefined();
    const backend = await Backend.start("broker");
    const sluice = await Sluice.start({
      dynamic: JSON.stringify({
        tcp: {
          routers: { mqtt: { rule: "HostSNI(`edge.test`)", service: "broker", tls: {} } },
          services: { broker: { loadBalancer: { servers: [{ port: backend.port }] } } },
        },
        tls,
      }),
      workers: 2,
    });
    const file = (name: string, end: string) => join(out, name, `client.${end}`);
    const live = (name: string) =>
      stayingClient("broker", {
        ...{ port: sluice.port, servername: "edge.test" },
        ...{ ca: readFileSync(join(authority, "ca.crt")), cert: readFileSync(file(name, "crt")) },
        key: readFileSync(file(name, "key")),
      });
    const admitted = (name: string) =>
      tlsHandshake(sluice.port, "edge.test", ["-cert", file(name, "crt"), "-key", file(name, "key")]).then(
        ({ reached }) => reached === "broker",
      );
    const [gone, stays] = [await live("dev-1"), await live("dev-2")];
    expect(await admitted("dev-1")).toBe(true);

    await certs("revoke", "dev-1", "--reason=keyCompromise", `--authority=${authority}`);
    await waitFor("dev-1 to be cut", () => gone.closed);
    expect(await admitted("dev-1")).toBe(false);
    await sluice.access((line) => line.reason === "client-certificate-revoked" && line.server === undefined);
    expect(await admitted("dev-2")).toBe(true);
    await stays.echo();
    expect(sluice.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

test("a server's certificate that is renewed with a new key serves from then on, and nothing is found wrong meanwhile", async () => {
  const cwd = temporaryDirectory();
  const [authority, servers] = [join(cwd, "authority"), join(cwd, "servers")];
  const certs = certsIn(cwd);
  await certs("init");
  const lines = await certs("server", "edge.test", `--authority=${authority}`, `--out=${servers}`);
  const backend = await Backend.start("broker");
  const sluice = await Sluice.start({
    dynamic: JSON.stringify({
      tcp: {
        routers: { mqtt: { rule: "HostSNI(`edge.test`)", service: "broker", tls: {} } },
        services: { broker: { loadBalancer: { servers: [{ port: backend.port }] } } },
      },
      ...parse(lines),
    }),
  });
  const served = () =>
    new Promise<string>((resolve, reject) => {
      const ca = readFileSync(join(authority, "ca.crt"));
      const socket = connect({ host: "127.0.0.1", port: sluice.port, servername: "edge.test", ca }, () => {
        resolve(socket.getPeerX509Certificate()!.serialNumber.toUpperCase());
        socket.destroy();
      });
      socket.on("error", reject);
    });
  for (let round = 0; round < 3; round++) {
    const before = await served();
    const [renewed] = JSON.parse(
      await certs("renew", "edge.test", `--authority=${authority}`, `--servers=${servers}`, "--json"),
    );
    expect(renewed.former).toBe(before);
    await waitFor("the renewed one", async () => (await served()) === renewed.serial);
  }
  expect(sluice.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
});
