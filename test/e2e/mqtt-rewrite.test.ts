// A real broker takes CONNECTs that are written again, of every version and with everything in them, and knows the client by what was
// written.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnackRead, ConnackReader } from "../../src/mqtt/connack-reader.ts";
import { type Connect, readConnect } from "../../src/mqtt/connect.ts";
import { rewriteConnect } from "../../src/mqtt/rewrite.ts";
import type { MqttVersion } from "../../src/mqtt/version.ts";
import { tcpClient } from "../support/clients.ts";
import { MAX_SIZE } from "../support/connect-vectors.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { random } from "../support/random.ts";
import { encodeConnect, randomConnect, VERSIONS } from "../support/random-connect.ts";
import { temporaryDirectory, waitFor } from "../support/tools.ts";

const CONNECTIONS = 300;
/** Mosquitto's numbers for them in its log. */
const LOGGED: Readonly<Record<MqttVersion, string>> = { "3.1": "p1", "3.1.1": "p2", "5": "p5" };
/** Extended authentication, which Mosquitto knows only by a plug-in. */
const BAD_METHOD = 0x8c;

async function connack(port: number, { packet, version }: Connect): Promise<ConnackRead> {
  const socket = await tcpClient(port);
  try {
    socket.write(packet);
    const reader = new ConnackReader(version);
    for await (const chunk of socket) {
      const read = reader.push(chunk as Buffer);
      if (read.kind !== "more") return read;
    }
    return { kind: "more" };
  } finally {
    socket.destroy();
  }
}

function read(bytes: Buffer): Connect {
  const result = readConnect(bytes, MAX_SIZE);
  if (result.kind !== "ok") throw new Error(bytes.toString("hex"));
  return result.connect;
}

test("Mosquitto takes what is written again, by the client id and the user name that were written", async () => {
  const log = join(temporaryDirectory(), "log");
  const broker = await Mosquitto.start({ lines: [`log_dest file ${log}`, "log_type all"] });
  const dice = random(20260817);
  const expected: string[] = [];
  for (let round = 0; round < CONNECTIONS; round++) {
    const made = randomConnect(dice);
    const clientId = `device-${round}-é`;
    const username = dice.chance(0.8) ? `user ${round} ż` : null;
    const written = read(rewriteConnect(read(encodeConnect(made)), { clientId, username })!);
    const where = encodeConnect(made).toString("hex");
    const code = made.authenticationMethod === null ? 0 : BAD_METHOD;
    expect(await connack(broker.port, written), where).toMatchObject({ kind: "connack", code });
    if (code !== 0) continue;
    const name = username === null ? "" : `, u'${username}'`;
    expected.push(`as ${clientId} (${LOGGED[made.version]}, c${made.clean ? 1 : 0}, k${made.keepAlive}${name}).`);
  }
  expect(expected.length).toBeGreaterThan(200);
  for (const version of VERSIONS) expect(expected.some((line) => line.includes(LOGGED[version]))).toBe(true);
  await waitFor("Mosquitto to log the last one", () => readFileSync(log, "utf8").includes(expected.at(-1)!) || null);
  const connected = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /New (client|bridge) connected/.test(line))
    .map((line) => line.slice(line.indexOf(" as device") + 1));
  expect(connected).toEqual(expected);
}, 60_000);
