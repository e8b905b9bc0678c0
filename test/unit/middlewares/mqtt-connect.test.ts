// mqttConnect without sockets: what is judged of a CONNECT that has been read. What clients are told is in test/e2e/mqtt-connect.test.ts.

import { expect, test } from "bun:test";
import { MqttConnect, type MqttConnectRow } from "../../../src/middlewares/mqtt-connect.ts";
import { readConnect } from "../../../src/mqtt/connect.ts";
import { anyConnect } from "../../support/connect-packet.ts";

const ROW: MqttConnectRow = {
  kind: "mqttConnect",
  timeoutMs: 1000,
  maxSize: 65_536,
  versions: ["3.1", "3.1.1", "5"],
  clientIdPattern: null,
  clientIdMaxLength: null,
  clientIdAllowEmpty: null,
  maxKeepAlive: null,
  cleanOnly: false,
  allowWill: true,
  bridges: "pass",
  keepAliveZeroMs: null,
};

function judge(row: Partial<MqttConnectRow>, clientId: string): string {
  const read = readConnect(anyConnect(clientId), 65_536);
  if (read.kind !== "ok") throw new Error(`it was not read: ${read.kind}`);
  const client = { clientAddress: "", sni: "", clientCertificate: null, connect: read.connect };
  return new MqttConnect({ ...ROW, ...row }).judge(client).kind;
}

test("a pattern must match the whole client id, and no pattern matches one of over 1024 characters", () => {
  const row = { clientIdPattern: "x+" };
  expect(["x", "xy", "yx", "x".repeat(1024), "x".repeat(1025)].map((id) => judge(row, id))).toEqual([
    ...["pass", "refuse", "refuse", "pass", "refuse"],
  ]);
});

test("an empty client id must match the pattern too, unless allowEmpty says otherwise", () => {
  for (const [clientIdPattern, clientIdAllowEmpty, verdict] of [
    ["x+", null, "refuse"],
    ["x*", null, "pass"],
    ["x+", true, "pass"],
    ["x*", false, "refuse"],
    [null, null, "pass"],
  ] as const)
    expect(judge({ clientIdPattern, clientIdAllowEmpty }, "")).toBe(verdict);
});

test("maxLength counts characters and not bytes or UTF-16 units", () => {
  expect(["🎉🎉", "🎉🎉🎉", "äöü"].map((id) => judge({ clientIdMaxLength: 2 }, id))).toEqual([
    "pass",
    "refuse",
    "refuse",
  ]);
});

test("asked before there is a CONNECT, it lets nobody in", () => {
  const client = { clientAddress: "", sni: "", clientCertificate: null, connect: null };
  expect(new MqttConnect(ROW).judge(client).kind).toBe("refuse");
});
