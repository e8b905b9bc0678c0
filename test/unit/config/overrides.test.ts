// Variables and flags over files with anchors, aliases and merge keys: the same as over a file in which all of that is written out.

import { expect, test } from "bun:test";
import { parse } from "yaml";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseFlag } from "../../../src/config/flags.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { sized } from "../../support/full-size.ts";
import { random } from "../../support/random.ts";

const FILES = [
  `entryPoints:
  a: &a { address: ":1", transport: &t { respondingTimeouts: { readTimeout: 1s }, lifeCycle: &l { graceTimeOut: 1s } } }
  b: { address: ":2", transport: *t }
  c: { <<: *a, address: ":3" }
  d: { <<: [{ asDefault: true }, *a], address: ":4", transport: { lifeCycle: *l } }
`,
  `entryPoints: &all
  a: &a { address: ":1", transport: { <<: { lifeCycle: { graceTimeOut: 2s } } } }
  b: &b { <<: *a, address: ":2" }
  c: { <<: *b, address: ":3" }
`,
  `log: &log { level: info }
entryPoints: { a: { address: ":1" }, b: { address: ":2", transport: { lifeCycle: { graceTimeOut: 3s } } } }
tcpServersTransport:
  dialTimeout: &long 9s
  dialKeepAlive: *long
  tls: &tls { rootCAs: [x], certificates: &pairs [&pair { certFile: a, keyFile: b }, *pair, { <<: *pair, certFile: c }] }
`,
];
const FLAGS = [
  ...["a", "b", "c", "d"].flatMap((name) => [
    `entryPoints.${name}.transport.lifeCycle.graceTimeOut=8s`,
    `entryPoints.${name}.transport.respondingTimeouts.readTimeout=9s`,
    `entryPoints.${name}.asDefault=true`,
  ]),
  ...["entryPoints.b.address=:20", "entryPoints.c.address=:30", "entryPoints.new.address=:40", "log.level=debug"],
  ...[0, 1, 2, 3].flatMap((n) =>
    ["certFile", "keyFile"].map((key) => `tcpServersTransport.tls.certificates[${n}].${key}=${n}`),
  ),
  ...[
    "tcpServersTransport.dialKeepAlive=7s",
    "tcpServersTransport.tls.serverName=x",
    "ping",
    "ping=false",
    "accessLog",
  ],
];

test("random flags over each", () => {
  const { below, pick } = random(1);
  const read = (text: string, flags: readonly string[]) => {
    const overrides = { environment: {}, flags: flags.map((each) => parseFlag(`--${each}`)) };
    return parseStatic("a.yml", text, new Diagnostics(), overrides)?.value ?? null;
  };
  let loaded = 0;
  const rounds = sized(600, 150);
  for (let round = 0; round < rounds; round++) {
    const file = FILES[round % FILES.length]!;
    const flags = Array.from({ length: 1 + below(6) }, () => pick(FLAGS));
    const value = read(file, flags);
    if (value !== null) loaded++;
    const writtenOut = JSON.stringify(parse(file, { merge: true }));
    expect({ flags, value }).toEqual({ flags, value: read(writtenOut, flags) });
  }
  expect(loaded).toBeGreaterThan(rounds / 6);
});
