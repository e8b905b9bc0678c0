// What a store holds, in force: a mistake that only the compiler finds costs its own part alone too, and no door gets weaker by it.

import { expect, test } from "bun:test";
import { Accepted, load } from "../../../src/compile/load.ts";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { FlatConfiguration } from "../../../src/providers/flat.ts";

const config = parseStatic(
  "s.yml",
  'entryPoints: { mqtts: { address: ":8883" } }\nproviders: { redis: {} }\n',
  new Diagnostics(),
)!;

const GOOD = {
  "tcp/services/s/loadbalancer/servers/0/address": "127.0.0.1:1883",
  "tcp/routers/good/rule": "HostSNI(`good.test`)",
  "tcp/routers/good/tls/options": "fine",
  "tcp/routers/good/service": "s",
  "tls/options/fine/minversion": "VersionTLS12",
};
const PLAIN = { "tcp/routers/a/rule": "HostSNI(`a.test`)", "tcp/routers/a/tls": "true", "tcp/routers/a/service": "s" };

/** What becomes of each router, and what is said of it as an error. */
function inForce(values: Readonly<Record<string, string>>) {
  const entries = Object.entries(values).map(([path, value]) => ({ path, value, place: `redis sluice/${path}` }));
  const flat = new FlatConfiguration("redis", "redis", new Set(["mqtts"]));
  const file = flat.read(entries, new Diagnostics());
  const current = {
    offer: [file],
    fresh: true,
    diagnostics: new Diagnostics(),
    remote: { isAway: false, isLoose: true },
  };
  const diagnostics = new Diagnostics();
  const input = { config, providers: new Map([["redis", current]]), selfSigned: null, accepted: new Accepted() };
  const { compiled, refused } = load(input, diagnostics);
  const errors = diagnostics.list.filter(({ severity }) => severity === "error").map(formatDiagnostic);
  return { refused, routers: Object.fromEntries(compiled!.routers.map(({ name, action }) => [name, action])), errors };
}

test("a certificate whose file is not there costs nobody else anything", () => {
  const { refused, routers, errors } = inForce({
    ...GOOD,
    ...PLAIN,
    "tls/certificates/0/certfile": "/nowhere/a.crt",
    "tls/certificates/0/keyfile": "/nowhere/a.key",
  });
  expect(refused).toEqual([]);
  expect(routers).toEqual({ "good@redis": "terminate", "a@redis": "terminate" });
  expect(errors).toHaveLength(1);
  expect(errors[0]).toStartWith("redis sluice/tls/certificates/0/certfile: ");
});

for (const [what, option] of [
  ["whose authorities are not there", { cafiles: "/nowhere/ca.crt", clientauthtype: "RequireAndVerifyClientCert" }],
  ["that cannot be read", { clientauthtype: "Perhaps" }],
] as const)
  for (const name of ["mtls", "default"])
    test(`routers with TLS options called ${name} ${what} refuse, and others do not`, () => {
      const { refused, routers } = inForce({
        ...GOOD,
        ...PLAIN,
        ...(name !== "default" && { "tcp/routers/a/tls/options": name }),
        ...Object.fromEntries(
          Object.entries(option).map(([field, value]) => [`tls/options/${name}/clientauth/${field}`, value]),
        ),
      });
      expect(refused).toEqual([]);
      expect(routers).toEqual({ "good@redis": "terminate", "a@redis": "off" });
    });

test("a router with a mistake is off, and nobody gets its names", () => {
  const { refused, routers, errors } = inForce({ ...GOOD, ...PLAIN, "tcp/routers/a/oops": "1" });
  expect(refused).toEqual([]);
  expect(routers).toEqual({ "good@redis": "terminate", "a@redis": "off" });
  expect(errors).toHaveLength(1);
});
