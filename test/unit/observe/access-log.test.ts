// The access log's JSON is what pino would have written, whatever a client has put into it.

import { expect, test } from "bun:test";
import pino from "pino";
import { AccessLog } from "../../../src/observe/access-log.ts";
import type { Log } from "../../../src/observe/log.ts";
import type { ConnectionRecord } from "../../../src/proxy/record.ts";

function lines(record: object, count = 1): string[] {
  const written: string[] = [];
  const log = { format: "json", role: "worker-0", write: (line: string) => written.push(line) } as unknown as Log;
  const access = new AccessLog(log);
  for (let i = 0; i < count; i++) access.write(record as ConnectionRecord, "client-closed", 12, 34);
  access.flush();
  return written;
}

/** The line that pino makes of the same fields. */
function byPino(fields: object): string {
  let line = "";
  const logger = pino(
    { base: { role: "worker-0" }, formatters: { level: (label) => ({ level: label }) } },
    { write: (text) => void (line = text) },
  );
  logger.info(fields, "access");
  return line;
}

const PLAIN = {
  entryPoint: "mqtts",
  meters: null,
  server: "",
  clientAddress: "192.0.2.7",
  clientPort: 4711,
  sni: "",
  alpn: "",
  tlsVersion: "",
  tlsCipher: "",
  cause: "",
  mqtt: null,
  clientSubject: "",
  balancer: "",
  uniqueId: "",
  startedAt: 0,
};

const without = (line: string, ...names: string[]) => {
  const fields = JSON.parse(line);
  for (const name of names) delete fields[name];
  return Object.entries(fields);
};

test("empty fields are left out", () => {
  const [line] = lines(PLAIN);
  const expected = byPino({
    ...{ entryPoint: "mqtts", client: "192.0.2.7", clientPort: 4711 },
    ...{ bytesIn: 12, bytesOut: 34, reason: "client-closed" },
  });
  expect(without(line!, "time", "durationMs")).toEqual(without(expected, "time"));
});

test("a client that was gone before it was looked at has no address, and the line is sound", () => {
  const [line] = lines({ ...PLAIN, clientAddress: "", clientPort: 0 });
  expect(JSON.parse(line!)).not.toHaveProperty("client");
  expect(JSON.parse(line!)).not.toHaveProperty("clientPort");
});

const HOSTILE = [
  '"',
  "\\",
  "\n",
  '","reason":"x',
  "\u0000\u001f\u007f",
  "\ud800",
  "ü€🎉",
  "\u2028",
  "</script>",
  "a b",
];

for (const text of HOSTILE)
  test(`${JSON.stringify(text)} from outside stays inside its field, on one line`, () => {
    const [line] = lines({
      ...PLAIN,
      meters: { router: `r${text}`, service: text },
      ...{ server: "127.0.0.1:1883", sni: text, alpn: text, clientSubject: text },
      ...{ tlsVersion: "TLSv1.3", tlsCipher: "TLS_AES_128_GCM_SHA256" },
    });
    expect(line!.indexOf("\n")).toBe(line!.length - 1);
    const expected = byPino({
      ...{ entryPoint: "mqtts", router: `r${text}`, service: text, server: "127.0.0.1:1883" },
      ...{ client: "192.0.2.7", clientPort: 4711, sni: text, alpn: text },
      ...{ tlsVersion: "TLSv1.3", tlsCipher: "TLS_AES_128_GCM_SHA256", clientSubject: text },
      ...{ bytesIn: 12, bytesOut: 34, reason: "client-closed" },
    });
    expect(without(line!, "time", "durationMs")).toEqual(without(expected, "time"));
  });

test("what a CONNECT has said is in the line, long names cut", () => {
  const mqtt = { version: "5", clientId: "x".repeat(300), username: 'a"b', keepAlive: 60, clean: true, will: false };
  const [line] = lines({ ...PLAIN, mqtt });
  expect(JSON.parse(line!)).toMatchObject({
    mqttVersion: "5",
    clientId: `${"x".repeat(255)}…`,
    username: 'a"b',
    keepAlive: 60,
    clean: true,
    will: false,
  });
});

test("what turns the direction of writing, ends a line or cannot be seen is escaped in a client's names", () => {
  const mqtt = {
    version: "5",
    clientId: "dev\u202e1-nimda",
    username: "a\u2028b\u200bc",
    keepAlive: 60,
    clean: true,
    will: false,
  };
  const [line] = lines({ ...PLAIN, mqtt });
  expect(JSON.parse(line!)).toMatchObject({ clientId: "dev\\u202e1-nimda", username: "a\\u2028b\\u200bc" });
  expect(line).not.toMatch(/[\u202e\u2028\u200b]/);
});

test("every connection gets its line, also those that end together", () => {
  expect(lines(PLAIN, 150)).toHaveLength(150);
});
