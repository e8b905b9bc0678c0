// Which certificates a name means: those that are called just so, because a revocation cannot be taken back.

import { expect, test } from "bun:test";
import { entriesCalled } from "../../../src/authority/authority.ts";
import { Ledger } from "../../../src/authority/events.ts";

const ledger = new Ledger();
const issued = (serial: string, purpose: "server" | "client", commonName: string, ...names: string[]) =>
  ledger.add({ kind: "issued", at: 0, serial, purpose, notAfter: 1, commonName, names });
issued("A1", "client", "dev-1", "DNS:dev-1");
issued("A2", "client", "DEV-1", "DNS:DEV-1");
issued("A3", "client", "dev-1", "DNS:dev-1");
issued("B1", "client", "Press-7", "DNS:Press-7", "URI:urn:x:1");
issued("C1", "server", "mqtt.example.com", "DNS:mqtt.example.com", "IP:::1");
issued("C2", "server", "other.example.com", "DNS:other.example.com", "DNS:mqtt.example.com");
const called = (word: string) => entriesCalled(word, ledger).map(({ serial }) => serial);

test("a device whose name differs in capital letters alone is another one", () => {
  expect(called("dev-1")).toEqual(["A1", "A3"]);
  expect(called("DEV-1")).toEqual(["A2"]);
});

test("other capital letters mean the one name that there is, and of several none", () => {
  expect(called("press-7")).toEqual(["B1"]);
  expect(called("MQTT.Example.com")).toEqual(["C1", "C2"]);
  expect(called("Dev-1")).toEqual([]);
});

test("alternative names and serial numbers mean their certificates", () => {
  expect(called("mqtt.example.com")).toEqual(["C1", "C2"]);
  expect(called("::1")).toEqual(["C1"]);
  expect(called("urn:x:1")).toEqual(["B1"]);
  expect(called("a2")).toEqual(["A2"]);
});
