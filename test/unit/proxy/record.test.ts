// What is kept of a connection that lasts.

import { expect, test } from "bun:test";
import type { NativeSocket } from "../../../src/net/socket.ts";
import { ConnectionRecord } from "../../../src/proxy/record.ts";

test("of names as long as MQTT has them, a connection that goes on keeps what is logged", () => {
  const record = new ConnectionRecord("mqtts", { remoteAddress: "192.0.2.1", remotePort: 1 } as NativeSocket);
  record.shortenNames();
  expect(record.mqtt).toBe(null);
  const facts = { version: "5", keepAlive: 60, clean: true, will: false } as const;
  record.mqtt = { ...facts, clientId: "x".repeat(65_535), username: "ü".repeat(32_767) };
  record.shortenNames();
  const cut = { ...facts, clientId: `${"x".repeat(255)}…`, username: `${"ü".repeat(255)}…` };
  expect(record.mqtt).toEqual(cut);
  record.shortenNames();
  expect(record.mqtt).toEqual(cut);
  record.mqtt = { ...facts, clientId: "", username: null };
  record.shortenNames();
  expect(record.mqtt).toEqual({ ...facts, clientId: "", username: null });
});
