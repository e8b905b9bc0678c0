// A revoked client does not come in, nor stays where closeRevoked is set; where nobody can say whether it is revoked, it does not
// come in either. Lists are hot, and nothing is dialled for who is refused.

import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { Backend } from "../support/backend.ts";
import { Authority, type IssueOptions, type Pair } from "../support/certs.ts";
import { type StayingClient, stayingClient, tcpServer } from "../support/clients.ts";
import { Sluice } from "../support/sluice.ts";
import { tlsHandshake } from "../support/tls-client.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const VERSIONS = ["-tls1_2", "-tls1_3"] as const;
type Version = (typeof VERSIONS)[number];

const directory = temporaryDirectory();
const file = (name: string): string => join(directory, name);
/** In one step, as tools that fetch lists do. */
function put(name: string, ...parts: readonly Uint8Array[]): void {
  writeFileSync(file(`.${name}`), Buffer.concat(parts));
  renameSync(file(`.${name}`), file(name));
}

const [authority, clients, brief, lapsed, silent, root] = await Promise.all([
  Authority.create(),
  Authority.create("Clients"),
  Authority.create("Brief"),
  Authority.create("Lapsed"),
  Authority.create("Silent"),
  Authority.create("Root"),
]);
const [server, middle, doomed] = await Promise.all([
  authority.issue({ names: ["*.test"] }),
  root.intermediate("Middle"),
  root.intermediate("Doomed"),
]);
let issued = 0;
const issue = (by: Authority, options: IssueOptions = {}): Promise<Pair> =>
  by.issue({ usage: "clientAuth", names: [], subject: `/CN=client-${++issued}`, ...options });
const [lost, lapsedClient, silentClient] = await Promise.all([issue(clients), issue(lapsed), issue(silent)]);

clients.revoke(lost);
put("clients.crl", await clients.crl());
put("brief.crl", await brief.crl());
put("lapsed.crl", await lapsed.crl({ form: "DER", lastUpdate: "20240101000000Z", nextUpdate: "20240201000000Z" }));
put("root.crl", await root.crl(), await middle.crl(), await doomed.crl());
writeFileSync(file("chain.crt"), [root, middle, doomed].map(({ cert }) => readFileSync(cert, "utf8")).join(""));

const backend = await Backend.start("broker");
const NAMES = {
  cn: '["CN:sensor-*"]',
  dns: '["DNS:*.Devices.example"]',
  uri: '["URI:spiffe://plant/*"]',
  mail: '["email:*@plant.example"]',
  any: '["*-7", "CN:boss"]',
};
const sluice = await Sluice.start({
  dynamic: `
tcp:
  routers:
${["keep", "close", "brief", "lapsed", "mixed", "chain", ...Object.keys(NAMES)]
  .map((name) => `    ${name}: { rule: "HostSNI(\`${name}.test\`)", service: broker, tls: { options: ${name} } }`)
  .join("\n")}
  services:
    broker: { loadBalancer: { servers: [{ port: ${backend.port} }] } }
tls:
  certificates: [{ certFile: ${server.cert}, keyFile: ${server.key} }]
  options:
    keep: { clientAuth: { caFiles: [${clients.cert}], crlFiles: [${file("clients.crl")}] } }
    close: { clientAuth: { caFiles: [${clients.cert}], crlFiles: [${file("clients.crl")}], closeRevoked: true } }
    brief: { clientAuth: { caFiles: [${brief.cert}], crlFiles: [${file("brief.crl")}] } }
    lapsed: { clientAuth: { caFiles: [${lapsed.cert}, ${clients.cert}], crlFiles: [${file("lapsed.crl")}, ${file("clients.crl")}] } }
    mixed: { clientAuth: { caFiles: [${silent.cert}, ${clients.cert}], crlFiles: [${file("clients.crl")}] } }
    chain: { clientAuth: { caFiles: [${file("chain.crt")}], crlFiles: [${file("root.crl")}], closeRevoked: true } }
${Object.entries(NAMES)
  .map(([name, patterns]) => `    ${name}: { clientAuth: { caFiles: [${clients.cert}], allowedNames: ${patterns} } }`)
  .join("\n")}
`,
});

const withCertificate = ({ cert, key }: Pair): string[] => ["-cert", cert, "-key", key];

async function admitted(name: string, args: readonly string[], reused = false): Promise<void> {
  expect(await tlsHandshake(sluice.port, `${name}.test`, args)).toMatchObject({ reached: "broker", reused });
}

/** certificate_revoked, certificate_unknown, access_denied */
const ALERTS: Record<string, number> = {
  "client-certificate-revoked": 44,
  "client-certificate-unchecked": 46,
  "client-certificate-not-allowed": 49,
};

/** Refused for this reason, which the client is told, and nothing dialled. */
async function refused(name: string, args: readonly string[], reason: string, port = sluice.port): Promise<void> {
  const [dialled, seen] = [backend.connections, sluice.accesses.length];
  const client = await tlsHandshake(port, `${name}.test`, args);
  expect(client.reached).toBeNull();
  // Before TLS 1.3 a session that is resumed, and one that is judged by a list that came meanwhile, are judged too late for an alert.
  const mayBeTooLate = args.includes("-tls1_2") && (args.includes("-sess_in") || port !== sluice.port);
  const alert = ALERTS[reason];
  if (alert !== undefined && !mayBeTooLate) expect(client.alert).toBe(alert);
  const line = await waitFor("the access-log line", () =>
    sluice.accesses.slice(seen).find((each) => each.server === undefined),
  );
  expect(line).toMatchObject({ reason, router: `${name}@file`, bytesIn: 0, bytesOut: 0 });
  expect(backend.connections).toBe(dialled);
}

/** A connection that stays, after the backend's greeting. */
async function live(
  name: string,
  version: Version,
  pair: Pair,
  chain: readonly Authority[] = [],
): Promise<StayingClient> {
  const tls = version === "-tls1_2" ? "TLSv1.2" : "TLSv1.3";
  const cert = [pair, ...chain].map((each) => readFileSync(each.cert, "utf8")).join("");
  return stayingClient("broker", {
    ...{ port: sluice.port, servername: `${name}.test`, rejectUnauthorized: false },
    ...{ minVersion: tls, maxVersion: tls, cert, key: readFileSync(pair.key) },
  });
}

const PEOPLE: readonly [name: keyof typeof NAMES, options: IssueOptions, reason: string | null][] = [
  ["cn", { subject: "/CN=sensor-7" }, null],
  ["cn", { subject: "/CN=actor-7" }, "client-certificate-not-allowed"],
  ["cn", { subject: "/CN=sensor-7/CN=actor-7" }, "client-certificate-not-allowed"],
  ["cn", { subject: "/CN=x", sans: ["DNS:sensor-7"] }, "client-certificate-not-allowed"],
  ["dns", { names: ["a.devices.example"] }, null],
  ["dns", { names: ["a.devices.example.com"] }, "client-certificate-not-allowed"],
  ["uri", { sans: ["URI:spiffe://plant/press"] }, null],
  ["uri", { sans: ["URI:spiffe://plan/press"] }, "client-certificate-not-allowed"],
  ["mail", { sans: ["email:bob@Plant.example"] }, null],
  ["mail", { sans: ["email:bob@plant.example.com"] }, "client-certificate-not-allowed"],
  ["any", { names: ["press-7"], subject: "/CN=x" }, null],
  ["any", { subject: "/CN=boss" }, null],
  ["any", { subject: "/CN=x", sans: ["email:boss"] }, "client-certificate-not-allowed"],
];
/** Their certificates, for both versions. */
const people = await Promise.all(PEOPLE.map(([, options]) => issue(clients, options)));

for (const version of VERSIONS)
  describe(version, () => {
    test("a revoked client is refused, and another one admitted", async () => {
      const good = await issue(clients);
      for (const name of ["keep", "close"]) {
        await refused(name, [version, ...withCertificate(lost)], "client-certificate-revoked");
        await admitted(name, [version, ...withCertificate(good)]);
      }
    });

    test("a new list refuses a client from the next handshake on, and ends its connections where closeRevoked is set", async () => {
      const [good, other] = [await issue(clients), await issue(clients)];
      const [kept, closed, spared] = [
        await live("keep", version, good),
        await live("close", version, good),
        await live("close", version, other),
      ];
      clients.revoke(good);
      const list = await clients.crl({ form: "DER" });
      put("clients.crl", list);
      await waitFor("the connection to be closed", () => closed.closed);
      await sluice.access(
        (line) =>
          line.reason === "client-certificate-revoked" &&
          line.server !== undefined &&
          line.clientSubject === `CN=client-${issued - 1}`,
      );
      for (const name of ["keep", "close"])
        await refused(name, [version, ...withCertificate(good)], "client-certificate-revoked");
      for (const each of [kept, spared]) {
        expect(each.closed).toBe(false);
        await each.echo();
      }
      await admitted("close", [version, ...withCertificate(other)]);
    });

    test("no session survives a new list, neither that of the revoked client nor another", async () => {
      const [good, other] = [await issue(clients), await issue(clients)];
      const sessions = { good: file(`good${version}`), other: file(`other${version}`) };
      const resume = (who: Pair, session: string) => [version, "-sess_in", session, ...withCertificate(who)];
      for (const [who, session] of [
        [good, sessions.good],
        [other, sessions.other],
      ] as const) {
        await admitted("keep", [version, "-sess_out", session, ...withCertificate(who)]);
        await admitted("keep", resume(who, session), true);
      }
      clients.revoke(good);
      const list = await clients.crl();
      await sluice.reload(() => put("clients.crl", list));
      await refused("keep", resume(good, sessions.good), "client-certificate-revoked");
      // Without the certificate there is nothing left of it.
      await refused("keep", [version, "-sess_in", sessions.good], "client-certificate-missing");
      await admitted("keep", resume(other, sessions.other), false);
    });

    test("who began the handshake before the list came is refused by that list", async () => {
      const good = await issue(clients);
      let release = (): void => {};
      const released = new Promise<void>((resolve) => (release = resolve));
      let held = false;
      // Passes on the hello, and holds the client's second flight back.
      const between = await tcpServer((socket) => {
        const onward = connectTcp(sluice.port, "127.0.0.1");
        onward.on("data", (chunk) => socket.write(chunk));
        onward.on("end", () => socket.end());
        onward.on("error", () => socket.destroy());
        socket.on("end", () => onward.end());
        let first = true;
        socket.on("data", async (chunk) => {
          if (first) onward.write(chunk);
          else {
            held = true;
            await released;
            onward.write(chunk);
          }
          first = false;
        });
      });
      const over = refused("close", [version, ...withCertificate(good)], "client-certificate-revoked", between.port);
      await waitFor("the second flight", () => held);
      clients.revoke(good);
      const list = await clients.crl();
      await sluice.reload(() => put("clients.crl", list));
      release();
      await over;
    });

    test("a resumed session is refused when the list has run out since", async () => {
      const good = await issue(brief);
      // Not from a moment ago: the tickets of another list are gone with it.
      const list = await brief.crl({ seconds: 6 });
      const until = Date.now() + 6000;
      await sluice.reload(() => put("brief.crl", list));
      const session = file(`brief${version}`);
      await admitted("brief", [version, "-sess_out", session, ...withCertificate(good)]);
      await admitted("brief", [version, "-sess_in", session], true);
      await waitFor("the list to run out", () => Date.now() > until + 1000);
      await refused("brief", [version, "-sess_in", session], "client-certificate-unchecked");
      await refused("brief", [version, ...withCertificate(good)], "client-certificate-unchecked");
    });

    test("a list that is past its next update refuses everyone of its authority, and nobody of another", async () => {
      await refused("lapsed", [version, ...withCertificate(lapsedClient)], "client-certificate-unchecked");
      await admitted("lapsed", [version, ...withCertificate(await issue(clients))]);
      await refused("lapsed", [version, ...withCertificate(lost)], "client-certificate-revoked");
    });

    test("an authority without a list refuses its clients", async () => {
      await refused("mixed", [version, ...withCertificate(silentClient)], "client-certificate-unchecked");
      await admitted("mixed", [version, ...withCertificate(await issue(clients))]);
    });

    test("an intermediate authority: its clients are looked up in its list, and itself in the root's", async () => {
      const under = await root.intermediate(`Under${version}`);
      writeFileSync(file("chain.crt"), [root, middle, under].map(({ cert }) => readFileSync(cert, "utf8")).join(""));
      const before = [await root.crl(), await middle.crl(), await under.crl()];
      await sluice.reload(() => put("root.crl", ...before));
      const [good, bad, below] = [await issue(middle), await issue(middle), await issue(under)];
      const show = (pair: Pair, by: Authority) => [version, ...withCertificate(pair), "-cert_chain", by.cert];
      await admitted("chain", show(good, middle));
      await admitted("chain", show(bad, middle));
      const session = file(`chain${version}`);
      await admitted("chain", [...show(below, under), "-sess_out", session]);
      await admitted("chain", [version, "-sess_in", session], true);
      const open = [
        await live("chain", version, good, [middle]),
        await live("chain", version, bad, [middle]),
        await live("chain", version, below, [under]),
      ];

      middle.revoke(bad);
      root.revoke(under);
      const lists = [await root.crl(), await middle.crl(), await under.crl()];
      await sluice.reload(() => put("root.crl", ...lists));
      await waitFor("the two to be closed", () => open[1]!.closed && open[2]!.closed);
      await open[0]!.echo();
      await admitted("chain", show(good, middle));
      await refused("chain", show(bad, middle), "client-certificate-revoked");
      await refused("chain", show(below, under), "client-certificate-revoked");
      await refused(
        "chain",
        [version, "-sess_in", session, ...show(below, under).slice(1)],
        "client-certificate-revoked",
      );
      await sluice.logged(`the authority "Under${version}" is revoked itself`);
    });

    test("an intermediate authority that the client brings along, and that is not among caFiles, cannot be checked", async () => {
      const stray = await root.intermediate("Stray");
      const double = await root.intermediate("Middle");
      for (const by of [stray, double])
        await refused(
          "chain",
          [version, ...withCertificate(await issue(by)), "-cert_chain", by.cert],
          "client-certificate-unchecked",
        );
    });

    for (const [index, [name, options, reason]] of PEOPLE.entries())
      test(`allowedNames ${NAMES[name]}: ${JSON.stringify(options)} is ${reason === null ? "admitted" : "refused"}`, async () => {
        const args = [version, ...withCertificate(people[index]!)];
        if (reason !== null) return refused(name, args, reason);
        const session = file(`session${version}-${index}`);
        await admitted(name, [...args, "-sess_out", session]);
        await admitted(name, [version, "-sess_in", session], true);
        // The same certificate authority, and other names: the session is of no use there.
        const elsewhere = name === "cn" ? "uri" : "cn";
        await refused(elsewhere, [version, "-sess_in", session], "client-certificate-missing");
      });
  });

describe("the operator is told", () => {
  test("of an authority without a list, and of a list that has run out", async () => {
    await sluice.logged('no revocation list is of the authority "Silent": clients with its certificates are refused');
    await sluice.logged(
      'the revocation list of "Lapsed" was due for renewal on 2024-02-01 00:00 UTC: all its clients are refused',
    );
  });

  test("when a list runs out, without a reload that anything else asked for", async () => {
    const told = (text: string): number => sluice.lines.filter((line) => line.msg.includes(text)).length;
    const [ahead, after] = ['the revocation list of "Brief" is due', 'the revocation list of "Brief" was due'];
    const list = await brief.crl({ seconds: 3 });
    const before = [told(ahead), told(after)];
    put("brief.crl", list);
    await waitFor("the warning ahead", () => told(ahead) > before[0]!);
    await waitFor("the warning after", () => told(after) > before[1]!, 10_000);
  });

  test("a week ahead, and not before", async () => {
    const day = 86_400;
    const due = (): boolean =>
      sluice.lines.slice(seen).some((line) => line.msg.includes('list of "Brief" is due for renewal'));
    let seen = sluice.lines.length;
    const later = await brief.crl({ seconds: 7 * day + 3600 });
    await sluice.reload(() => put("brief.crl", later));
    expect(due()).toBe(false);
    seen = sluice.lines.length;
    const soon = await brief.crl({ seconds: 7 * day - 3600 });
    await sluice.reload(() => put("brief.crl", soon));
    expect(due()).toBe(true);
  });

  test("by metrics of when the lists were made and when they end", async () => {
    const list = await brief.crl({ lastUpdate: "20260102030405Z", nextUpdate: "20690102030405Z" });
    await sluice.reload(() => put("brief.crl", list));
    const metric = (which: string) =>
      sluice.metric(`sluice_tls_crl_${which}_update_timestamp_seconds`, { options: "brief@file" });
    expect(await metric("this")).toBe(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
    expect(await metric("next")).toBe(Date.UTC(2069, 0, 2, 3, 4, 5) / 1000);
  });

  test("of a list that cannot be used, and the former one goes on", async () => {
    const source = { source: file("clients.crl") };
    const good = await issue(clients);
    const list = readFileSync(file("clients.crl"));
    const bad: [string, Uint8Array, string][] = [
      ["half written", list.subarray(0, list.length / 2), "has no end"],
      ["another authority's", await brief.crl(), "not among caFiles"],
      ["gone", Buffer.alloc(0), "empty"],
    ];
    for (const [, bytes, message] of bad) {
      const errors = await sluice.metric("sluice_tls_source_errors_total", source);
      const seen = sluice.lines.length;
      await sluice.reload(() => put("clients.crl", bytes));
      await waitFor("the error to be logged", () =>
        sluice.lines
          .slice(seen)
          .some((line) => line.msg.includes(message) && line.msg.includes("the former one goes on serving")),
      );
      expect(await sluice.metric("sluice_tls_source_failing", source)).toBe(1);
      expect(await sluice.metric("sluice_tls_source_errors_total", source)).toBeGreaterThan(errors);
      await refused("keep", ["-tls1_3", ...withCertificate(lost)], "client-certificate-revoked");
      await admitted("keep", ["-tls1_3", ...withCertificate(good)]);
    }
    await sluice.reload(() => put("clients.crl", list));
    expect(await sluice.metric("sluice_tls_source_failing", source)).toBe(0);
  });
});

test("every refusal is counted under its reason", async () => {
  for (const reason of ["revoked", "unchecked", "not-allowed"].map((each) => `client-certificate-${each}`)) {
    const logged = () => sluice.accesses.filter((line) => line.reason === reason).length;
    await waitFor(
      `the log and the metric to agree on ${reason}`,
      async () => (await sluice.metric("sluice_connections_total", { result: reason })) === logged(),
    );
    expect(logged()).toBeGreaterThan(0);
  }
});
