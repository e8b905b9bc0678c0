// `sluice check` says every mistake in the folders of test/fixtures/broken, where it is, and ends with the right exit code.
// A folder is one case; its expected.txt holds the output and the exit code. After a wanted change of words:
//   UPDATE_EXPECTED=1 bun test test/e2e/check.test.ts    and read the diff.

import { expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { Authority } from "../support/certs.ts";
import { type CliOptions, sluiceCli } from "../support/cli.ts";
import { BIN_SLUICE } from "../support/sluice.ts";
import { exec, type Finished, temporaryDirectory } from "../support/tools.ts";

const FIXTURES = resolve(import.meta.dir, "../fixtures/broken");
const cases = readdirSync(FIXTURES);
const directory = temporaryDirectory();
cpSync(FIXTURES, directory, { recursive: true });
await issueCertificates(join(directory, "certs"));

/** The files that the cases name as ../certs/...; their dates are in the expected output. */
async function issueCertificates(to: string): Promise<void> {
  mkdirSync(to);
  const authority = await Authority.create();
  const issue = async (name: string, names: string[], notBefore = "20200101000000Z", notAfter = "21200101000000Z") => {
    const pair = await authority.issue({ names, notBefore, notAfter });
    renameSync(pair.cert, join(to, `${name}.crt`));
    renameSync(pair.key, join(to, `${name}.key`));
  };
  await issue("good", ["mqtt.example", "*.mqtt.example"]);
  await issue("other", ["mqtt.example"]);
  await issue("unused", ["unused.example", "www.unused.example"]);
  await issue("expired", ["expired.mqtt.example"], "20200101000000Z", "20210203000000Z");
  await issue("future", ["future.mqtt.example"], "20900203000000Z", "21000101000000Z");
  const [stranger, namesake] = [await Authority.create("Other CA"), await Authority.create()];
  copyFileSync(authority.cert, join(to, "ca.crt"));
  copyFileSync(stranger.cert, join(to, "other-ca.crt"));
  copyFileSync(namesake.cert, join(to, "same-name-ca.crt"));
  const list = await authority.crl();
  writeFileSync(join(to, "ca.crl"), list);
  writeFileSync(join(to, "truncated.crl"), list.subarray(0, list.length / 2));
  for (const part of ["one", "two"]) {
    const extensions = `issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://ca.example/${part}`;
    writeFileSync(join(to, `part-${part}.crl`), await authority.crl({ extensions }));
  }
  const old = { lastUpdate: "20240101000000Z", nextUpdate: "20240201000000Z" };
  writeFileSync(join(to, "expired.crl"), await authority.crl(old));
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await exec(["openssl", ...args], { cwd: to });
    if (code !== 0) throw new Error(stderr);
  };
  await openssl(..."pkcs8 -topk8 -in good.key -out encrypted.key -passout pass:secret".split(" "));
  writeFileSync(join(to, "secret.txt"), "secret\n");
  const odd =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp256k1 -nodes -keyout odd.key -out odd.crt -subj /CN=odd";
  await openssl(...odd.split(" "));
  const below = await authority.intermediate("Test Intermediate", 36_500);
  const forever = { notBefore: "20200101000000Z", notAfter: "21200101000000Z" };
  const leaf = await below.issue({ names: ["chain.mqtt.example"], ...forever });
  const aia = await below.issue({
    names: ["alone.mqtt.example"],
    ...forever,
    extensions: "authorityInfoAccess=caIssuers;URI:http://ca.example/intermediate.crt",
  });
  const text = (...files: string[]) => files.map((file) => readFileSync(file, "utf8")).join("");
  writeFileSync(join(to, "alone.pem"), text(aia.cert, aia.key));
  writeFileSync(join(to, "without-root.pem"), text(leaf.key, leaf.cert, below.cert));
  writeFileSync(join(to, "out-of-order.pem"), text(leaf.key, below.cert, authority.cert, leaf.cert));
  writeFileSync(join(to, "whole.pem"), text(leaf.cert, leaf.key, below.cert, authority.cert));
  const damaged = (label: string) => `-----BEGIN ${label}-----\nMIIBszCCAVmgAwIBAgIUAAAA\n-----END ${label}-----\n`;
  writeFileSync(join(to, "damaged.crt"), damaged("CERTIFICATE"));
  writeFileSync(join(to, "damaged.key"), damaged("PRIVATE KEY"));
  writeFileSync(join(to, "garbage.pem"), "this is no PEM\n");
}

/** What `check` prints, and its exit code; temporary paths as if the cases lay in /broken. */
async function check(name: string, run: (args: string[], options: CliOptions) => Promise<Finished>): Promise<string> {
  const cwd = join(directory, name);
  const file = readdirSync(cwd).find((each) => each.startsWith("sluice."))!;
  // Not what a new file gets where these were checked out.
  chmodSync(join(cwd, file), 0o644);
  const { code, stdout, stderr } = await run(["check", `--configFile=${file}`], {
    cwd,
    env: { KEY_PASSWORD: "secret" },
  });
  return `${`${stderr}${stdout}`.replaceAll(directory, "/broken")}exit ${code}\n`;
}

test("there are cases", () => expect(cases.length).toBeGreaterThan(90));

for (const name of cases) {
  test(name, async () => {
    const file = join(FIXTURES, name, "expected.txt");
    const printed = await check(name, sluiceCli);
    if (process.env.UPDATE_EXPECTED) writeFileSync(file, printed);
    expect(existsSync(file)).toBe(true);
    expect(printed).toBe(readFileSync(file, "utf8"));
  });
}

// With a password from the environment, with warnings only, and with errors.
test.each(["sound-encrypted-keys", "certificate-dates", "router-references"])(
  "bin/sluice says the same in a process of its own: %s",
  async (name) => {
    const program = (args: string[], options: CliOptions) => exec([BIN_SLUICE, ...args], options);
    expect(await check(name, program)).toBe(readFileSync(join(FIXTURES, name, "expected.txt"), "utf8"));
  },
);
