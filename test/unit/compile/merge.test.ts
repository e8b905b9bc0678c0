// Of two equal names in several files the first file wins, as in Traefik, and whoever lost is told where.

import { expect, test } from "bun:test";
import { mergeTexts } from "./snapshots.ts";

test("the first file wins for every kind of name, and what only the second has is added", () => {
  const { merged, problems } = mergeTexts(
    `
tcp:
  routers: { r: { rule: first } }
  services: { s: { loadBalancer: {} } }
  serversTransports: { t: { dialTimeout: 1s } }
tls:
  options: { o: { minVersion: VersionTLS13 } }
  stores: { default: { defaultCertificate: { certFile: first } } }
`,
    `
tcp:
  routers: { r: { rule: second }, r2: { rule: second } }
  services: { s: { weighted: {} }, s2: { weighted: {} } }
  serversTransports: { t: { dialTimeout: 2s }, t2: {} }
tls:
  options: { o: { minVersion: VersionTLS12 }, o2: {} }
  stores: { default: { defaultCertificate: { certFile: second } } }
`,
  );
  expect(merged.routers.get("r@file")!.value.rule).toBe("first");
  expect(merged.services.get("s@file")!.value.weighted).toBeUndefined();
  expect(merged.transports.get("t@file")!.value.dialTimeout).toBe(1000);
  expect(merged.options.get("o@file")!.value.minVersion).toBe("VersionTLS13");
  expect(merged.defaultCertificate!.value.certFile).toBe("first");
  for (const map of [merged.routers, merged.services, merged.transports, merged.options]) expect(map.size).toBe(2);
  expect(problems).toEqual([
    'b.yml:3:14: warning: the router "r" is configured already in a.yml, which wins',
    'b.yml:4:15: warning: the service "s" is configured already in a.yml, which wins',
    'b.yml:5:24: warning: the serversTransport "t" is configured already in a.yml, which wins',
    'b.yml:7:14: warning: the TLS option "o" is configured already in a.yml, which wins',
    "b.yml:8:24: warning: a default certificate is configured already, which wins",
  ]);
});

test("names differ by case", () => {
  const { merged, problems } = mergeTexts("tcp: { routers: { r: {} } }", "tcp: { routers: { R: {} } }");
  expect([...merged.routers.keys()]).toEqual(["r@file", "R@file"]);
  expect(problems).toEqual([]);
});

test("certificates of all files are kept in order", () => {
  const { merged } = mergeTexts(
    "tls: { certificates: [{ certFile: one }, { certFile: two }] }",
    "tls: { certificates: [{ certFile: one }] }",
  );
  expect(merged.certificates.map((each) => each.value.certFile)).toEqual(["one", "two", "one"]);
  expect(merged.certificates.map((each) => each.at("certFile").file)).toEqual(["a.yml", "a.yml", "b.yml"]);
});

test("a name with @ is refused, the others of the file stay", () => {
  const { merged, problems } = mergeTexts("tcp: { routers: { 'a@file': {}, b: {} } }");
  expect([...merged.routers.keys()]).toEqual(["b@file"]);
  expect(problems).toEqual([
    'a.yml:1:19: the router "a@file": a name must not contain @, which stands before the provider',
  ]);
});

test("only what carries a field that cannot be ignored is off", () => {
  const { merged, problems } = mergeTexts(
    "tcp:\n  serversTransports:\n    r: { tls: { spiffe: {} } }\n    s: {}\n  services:\n    r: { loadBalancer: {} }\ntls:\n  options:\n    r: { disableSessionTickets: true }\n",
  );
  expect(merged.transports.get("r@file")!.off).toBe(true);
  expect(merged.transports.get("s@file")!.off).toBe(false);
  expect(merged.options.get("r@file")!.off).toBe(false);
  expect(problems).toEqual([
    expect.stringContaining("a.yml:3:17: tcp.serversTransports.r.tls.spiffe is not built into Sluice yet"),
    expect.stringContaining("warning: tls.options.r.disableSessionTickets is not built into Sluice yet"),
  ]);
});

test("a store that is not the default one is told of", () => {
  const { merged, problems } = mergeTexts(
    "tls: { stores: { other: { defaultCertificate: { certFile: x } }, default: {} } }",
  );
  expect(merged.defaultCertificate).toBeNull();
  expect(problems).toEqual([
    'a.yml:1:18: warning: the store "other" is not used: only the store "default" is, as in Traefik',
  ]);
});
