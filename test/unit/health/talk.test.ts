// What is said with a server that is checked, and what its answers mean.

import { describe, expect, test } from "bun:test";
import { type Conversation, MqttConversation, TcpConversation } from "../../../src/health/talk.ts";
import { readConnect } from "../../../src/mqtt/connect.ts";
import { MQTT_VERSIONS } from "../../../src/mqtt/version.ts";
import type { MqttTalk } from "../../../src/upstream/health.ts";

const tcp = (send: string, expected: string) => new TcpConversation({ kind: "tcp", send, expect: expected });
const mqtt = (more: Partial<MqttTalk> = {}) =>
  new MqttConversation(
    { kind: "mqtt", version: "3.1.1", clientId: null, username: null, password: null, ...more },
    "sluice-0123456789abcdef",
  );
/** The last step, when the answer comes in these pieces. */
function last(conversation: Conversation, ...pieces: string[]) {
  let step = conversation.begin();
  for (const piece of pieces) step = conversation.push(Buffer.from(piece, "latin1"));
  return step;
}
const verdict = (conversation: Conversation, ...pieces: string[]) => {
  const step = last(conversation, ...pieces);
  return step.kind !== "done" ? step.kind : step.verdict.kind === "failed" ? step.verdict.reason : step.verdict.kind;
};

describe("send and expect", () => {
  test("an open connection is good, and what is sent without an answer goes out before the close", () => {
    expect(tcp("", "").begin()).toEqual({ kind: "done", verdict: { kind: "good" }, bytes: null });
    expect(tcp("QUIT\r\n", "").begin()).toMatchObject({ kind: "done", bytes: Buffer.from("QUIT\r\n") });
    expect(tcp("PING", "PONG").begin()).toEqual({ kind: "send", bytes: Buffer.from("PING") });
  });

  test("the answer may come in any pieces, and more may follow", () => {
    for (const pieces of [["PONG"], ["P", "O", "N", "G"], ["PO", "NG and more"], ["", "PONG"]])
      expect(verdict(tcp("PING", "PONG"), ...pieces)).toBe("good");
    for (const pieces of [["PON"], ["P", "O"], []]) expect(last(tcp("", "PONG"), ...pieces).kind).toBe("wait");
  });

  test("another answer is told at its first wrong byte", () => {
    expect(verdict(tcp("", "PONG"), "X")).toBe("unexpected");
    expect(verdict(tcp("", "PONG"), "PO", "RK")).toBe("unexpected");
    expect(verdict(tcp("", "é"), "\xc3", "\xa9")).toBe("good");
  });
});

describe("MQTT", () => {
  test("the CONNECT is one that Sluice itself would take, in every version, with a clean session and its own client id", () => {
    for (const version of MQTT_VERSIONS) {
      const step = mqtt({ version, username: "check", password: "geheim" }).begin();
      const read = readConnect(step.kind === "send" ? step.bytes : Buffer.alloc(0), 1000);
      expect(read).toMatchObject({
        kind: "ok",
        connect: { version, clean: true, clientId: "sluice-0123456789abcdef", username: "check", will: null },
      });
      expect(read.kind === "ok" && read.connect.password?.toString()).toBe("geheim");
    }
    expect(verdict(mqtt({ clientId: "a\0b" }))).toBe("unexpected");
  });

  test("CONNACK is answered by PINGREQ, and PINGRESP by DISCONNECT", () => {
    const check = mqtt();
    check.begin();
    expect(check.push(Buffer.of(0x20))).toEqual({ kind: "wait" });
    expect(check.push(Buffer.of(2, 0, 0))).toEqual({ kind: "send", bytes: Buffer.of(0xc0, 0) });
    expect(check.push(Buffer.of(0xd0))).toEqual({ kind: "wait" });
    expect(check.push(Buffer.of(0))).toEqual({ kind: "done", verdict: { kind: "good" }, bytes: Buffer.of(0xe0, 0) });
  });

  test("messages that a broker sends unasked are passed over, in any pieces", () => {
    const message = "\x30\x05\x00\x01tab";
    expect(verdict(mqtt(), "\x20\x02\x00\x00", message, `${message}\xd0`, "\x00")).toBe("good");
    expect(verdict(mqtt(), "\x20\x02\x00\x00", ...message, "\xd0\x00")).toBe("good");
    expect(verdict(mqtt(), "\x20\x02\x00\x00", "\x30\xff\xff\xff\x7f")).toBe("unexpected");
    expect(verdict(mqtt(), "\x20\x02\x00\x00", "\x30\xff\xff\xff\xff\x7f")).toBe("unexpected");
    expect(verdict(mqtt(), "\x20\x02\x00\x00", message, "\x90\x00")).toBe("unexpected");
  });

  test("what is no MQTT, another packet, and an end by DISCONNECT are not well", () => {
    expect(verdict(mqtt(), "HTTP/1.1 400 Bad Request\r\n")).toBe("unexpected");
    expect(verdict(mqtt(), "\x20\x02\0\0", "\x90\x03\0\x01a")).toBe("unexpected");
    expect(verdict(mqtt({ version: "5" }), "\x20\x03\0\0\0", "\xe0\x02\x8b\0")).toBe("closed");
  });

  const three = (code: number, more: Partial<MqttTalk> = {}) =>
    verdict(mqtt(more), String.fromCharCode(0x20, 2, 0, code));
  const five = (code: number, more: Partial<MqttTalk> = {}) =>
    verdict(mqtt({ version: "5", ...more }), String.fromCharCode(0x20, 3, 0, code, 0));
  const user = { username: "check", password: "wrong" };

  test("a server that refuses the check's credentials is alive without any, and has failed with some", () => {
    for (const code of [4, 5]) expect([three(code), three(code, user)]).toEqual(["alive", "credentials"]);
    for (const code of [0x86, 0x87, 0x8a, 0x8c])
      expect([five(code), five(code, user)]).toEqual(["alive", "credentials"]);
  });

  test("a server that says it serves nobody has failed, and one that takes no such client is alive", () => {
    expect(three(3)).toBe("unavailable");
    for (const code of [0x88, 0x89, 0x97, 0x9c, 0x9d, 0x9f]) expect(five(code)).toBe("unavailable");
    for (const code of [1, 2]) expect(three(code)).toBe("alive");
    for (const code of [0x80, 0x84, 0x85]) expect(five(code)).toBe("alive");
    // One that does not know 5.
    expect(verdict(mqtt({ version: "5" }), "\x20\x02\0\x01")).toBe("alive");
  });

  test("any bytes in any pieces give an end or a wait", () => {
    let seed = 1;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 3000; round++) {
      const check = mqtt({ version: MQTT_VERSIONS[random(3)]! });
      check.begin();
      for (let chunk = 0; chunk < 5; chunk++) {
        const bytes = Buffer.from(Array.from({ length: random(8) }, () => (random(3) === 0 ? 0x20 : random(256))));
        if (check.push(bytes).kind === "done") break;
      }
    }
  });
});
