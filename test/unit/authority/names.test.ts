// Names as they are typed become the subject and the alternative names of a certificate, or an error that says what is wrong with them.

import { describe, expect, test } from "bun:test";
import { clientSubject, nameText, serverSubject } from "../../../src/authority/names.ts";

const sansOf = (named: ReturnType<typeof serverSubject>): string =>
  named.kind === "ok"
    ? `${named.subject.commonName} | ${named.subject.alternativeNames.map(nameText).join(" ")}`
    : `error: ${named.message}`;

const LONG = `${"a".repeat(60)}.${"b".repeat(60)}.example`;

describe("servers", () => {
  for (const [typed, expected] of [
    [["mqtt.example.com"], "mqtt.example.com | DNS:mqtt.example.com"],
    [["MQTT.Example.COM."], "mqtt.example.com | DNS:mqtt.example.com"],
    [["a.example", "A.example", "b.example"], "a.example | DNS:a.example DNS:b.example"],
    [["*.example.com"], "*.example.com | DNS:*.example.com"],
    [["localhost", "127.0.0.1", "::1"], "localhost | DNS:localhost IP:127.0.0.1 IP:::1"],
    [["[2001:DB8::0:1]"], "2001:db8::1 | IP:2001:db8::1"],
    [["bücher.example"], "xn--bcher-kva.example | DNS:xn--bcher-kva.example"],
    [["*.日本.example"], "*.xn--wgv71a.example | DNS:*.xn--wgv71a.example"],
    [["my_broker"], "my_broker | DNS:my_broker"],
    // The first one that fits into a common name.
    [[LONG, "short.example"], `short.example | DNS:${LONG} DNS:short.example`],
    [[LONG], ` | DNS:${LONG}`],
  ] as const)
    test(typed.join(" "), () => expect(sansOf(serverSubject(typed))).toBe(expected));

  for (const [typed, message] of [
    ["", "'' is empty"],
    ["a b", "'a b' has a space: a name for servers has none"],
    ["mqtts://a.example", "'mqtts://a.example' is no host name: leave out the scheme and the path"],
    ["a.example:8883", "'a.example:8883' is no host name: leave out the port"],
    ["a@b.example", "'a@b.example' is an e-mail address, and no host name"],
    ["256.1.1.1", "'256.1.1.1' is neither an address nor a host name"],
    ["a.*.example", "'a.*.example' has a * that is not the whole first label: only *.example.com is understood"],
    ["-a.example", "'-a.example' is no host name: letters, digits, hyphens and dots make one"],
    ["a..example", "'a..example' is no host name: letters, digits, hyphens and dots make one"],
    ["*.", "'*.' is no host name: letters, digits, hyphens and dots make one"],
    ["fe80::1%eth0", "'fe80::1%eth0' is an address of one machine's interface: leave out what follows %"],
    [`${"a".repeat(64)}.example`, `'${"a".repeat(64)}.example' has a label of 64 characters: at most 63 (RFC 1035)`],
    ["a\u0000.example", "'a\\u0000.example' is no host name: letters, digits, hyphens and dots make one"],
  ] as const)
    test(`'${typed}' is refused`, () => expect(serverSubject([typed])).toEqual({ kind: "error", message }));

  test("without a name, and with very many", () => {
    expect(serverSubject([]).kind).toBe("error");
    expect(serverSubject(Array.from({ length: 101 }, (_, n) => `a${n}.example`)).kind).toBe("error");
  });

  test("what is written otherwise than it was typed is said", () => {
    const notices = (name: string) => {
      const named = serverSubject([name]);
      return named.kind === "ok" ? named.notices : [];
    };
    expect(notices("bücher.example")).toEqual([
      "bücher.example is written xn--bcher-kva.example, as clients ask for it (IDNA)",
    ]);
    expect(notices("my_broker")).toEqual([
      "my_broker has an underscore, which host names must not have: some clients refuse it",
    ]);
    expect(notices("A.example")).toEqual([]);
  });
});

describe("clients", () => {
  for (const [typed, san] of [
    ["dev-1", "DNS:dev-1"],
    ["Sensor.Plant-7", "DNS:Sensor.Plant-7"],
    ["192.0.2.7", "IP:192.0.2.7"],
    ["anna@example.com", "email:anna@example.com"],
    ["Gerät 7", "URI:urn:sluice:client:Ger%C3%A4t%207"],
    ["日本", "URI:urn:sluice:client:%E6%97%A5%E6%9C%AC"],
    ["👨‍👩‍👧", "URI:urn:sluice:client:%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"],
    ["dev_1", "URI:urn:sluice:client:dev_1"],
    ["(it's)*!", "URI:urn:sluice:client:%28it%27s%29%2A%21"],
    ["a".repeat(64), `URI:urn:sluice:client:${"a".repeat(64)}`],
    ["🚀".repeat(64), `URI:urn:sluice:client:${"%F0%9F%9A%80".repeat(64)}`],
  ] as const)
    test(typed, () => expect(sansOf(clientSubject(typed))).toBe(`${typed} | ${san}`));

  test("two ways to write one letter are one name", () => {
    expect(clientSubject("Gera\u0308t")).toEqual(clientSubject("Ger\u00e4t"));
  });

  for (const [typed, message] of [
    ["", "a client needs a name: this one is empty"],
    ["  ", "a client needs a name: this one is empty"],
    [" a", "the client name ' a' begins or ends with a space"],
    ["a\tb", "the client name 'a\\u0009b' has a control character"],
    ["a\u200bb", "the client name 'a\\u200bb' has the invisible character U+200B"],
    ["a\ufeffb", "the client name 'a\\ufeffb' has the invisible character U+FEFF"],
    ["a\u202eb", "the client name 'a\\u202eb' has the invisible character U+202E"],
    ["a\ud800", "the client name 'a\\ud800' has a control character"],
    ["ä".repeat(65), `the client name '${"ä".repeat(65)}' has 65 characters: a common name has at most 64 (RFC 5280)`],
  ] as const)
    test(`${JSON.stringify(typed)} is refused`, () => expect(clientSubject(typed)).toEqual({ kind: "error", message }));
});
