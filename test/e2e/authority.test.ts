// An authority of one's own: what it issues is taken by strict programs, and what it is asked for wrongly is refused with a reason.

import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sluiceCli } from "../support/cli.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

/** A directory to type in, with an authority in authority/. */
async function place(...init: string[]) {
  const cwd = temporaryDirectory();
  const type = (...args: string[]) => sluiceCli(["certs", ...args], { cwd });
  const done = async (...args: string[]) => {
    const finished = await type(...args);
    if (finished.code !== 0) throw new Error(`certs ${args.join(" ")}: ${finished.stderr}`);
    return finished;
  };
  const json = async (...args: string[]) => JSON.parse((await done(...args, "--json")).stdout);
  await done("init", ...init);
  const openssl = (...args: string[]) => exec(["openssl", ...args], { cwd });
  const file = (path: string) => join(cwd, path);
  return { cwd, type, done, json, openssl, file };
}

const KINDS = [
  [],
  ["--key=ec384"],
  ["--key=rsa"],
  ["--key=ed25519"],
  ["--intermediate"],
  ["--key=rsa2048", "--intermediate"],
];
/** Ends beyond 2049 are written in another form (RFC 5280 4.1.2.5). */
const LONG = ["--days=20000"];

describe("what an authority issues is taken by strict programs", () => {
  for (const init of KINDS)
    test(`certs init ${init.join(" ")}`, async () => {
      const { done, openssl, file, cwd } = await place(...init, ...LONG);
      await done("server", "mqtt.example.com", "127.0.0.1", "::1");
      await done("client", "dev-1", "Gerät 7", "日本🚀", "--days=19000");
      await done("client", "rsa", "--key=rsa");
      await done("client", "gone", "--key=ed25519");
      await done("revoke", "gone");
      const leaves = (kind: string) => readdirSync(file(`${kind}s`)).map((name) => `${kind}s/${name}/${kind}.crt`);
      const chain = existsSync(file("authority/intermediate.crt")) ? ["-untrusted", "authority/intermediate.crt"] : [];
      const strict = ["verify", "-x509_strict", "-crl_check_all", "-CAfile", "authority/ca.crt"];
      const lists = ["-CRLfile", "authority/crl.pem", ...chain];
      // OpenSSL reads one list of a file.
      if (chain.length > 0) lists.push("-CRLfile", "authority/ca-crl.pem");
      const good = leaves("client").filter((path) => !path.includes("gone"));
      const clients = await openssl(...strict, ...lists, "-purpose", "sslclient", ...good);
      expect(clients).toMatchObject({ code: 0, stdout: good.map((path) => `${path}: OK\n`).join("") });
      for (const name of ["-verify_hostname=mqtt.example.com", "-verify_ip=127.0.0.1", "-verify_ip=::1"])
        expect(
          await openssl(...strict, ...lists, "-purpose", "sslserver", ...name.split("="), ...leaves("server")),
        ).toMatchObject({ code: 0 });
      const gone = await openssl(...strict, ...lists, "clients/gone/client.crt");
      expect(gone.stderr).toContain("certificate revoked");
      // A client's certificate is none for a server, and the other way round.
      expect((await openssl(...strict, ...lists, "-purpose", "sslserver", ...good)).code).not.toBe(0);
      expect((await openssl(...strict, ...lists, "-purpose", "sslclient", ...leaves("server"))).code).not.toBe(0);
      for (const path of [...good, ...leaves("server")]) {
        const gnutls = await exec(
          ["certtool", "--verify", "--load-ca-certificate=authority/ca.crt", `--infile=${path}`],
          { cwd },
        );
        expect(gnutls).toMatchObject({
          code: 0,
          stdout: expect.stringContaining("Chain verification output: Verified") as unknown,
        });
      }
    });
});
