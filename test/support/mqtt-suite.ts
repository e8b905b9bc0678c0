// What MQTT clients may expect of any way through Sluice: the same tests run against each.

import { expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IClientOptions } from "mqtt";
import { type Endpoint, mosquittoArguments, mosquittoPub, mqttClient, received } from "./mqtt.ts";
import { cleanup, temporaryDirectory } from "./tools.ts";

const MEGABYTE = 1024 * 1024;
const VERSIONS = [
  { version: "MQTT 3.1.1", flag: "mqttv311", options: { protocolVersion: 4 } },
  { version: "MQTT 5", flag: "mqttv5", options: { protocolVersion: 5 } },
] as const satisfies { version: string; flag: string; options: IClientOptions }[];

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** `name` keeps the topics and client ids of runs against one broker apart. */
export function mqttSuite(name: string, endpoint: Endpoint): void {
  for (const { version, flag, options } of VERSIONS) {
    for (const qos of [0, 1, 2] as const)
      test(`${version}: a message of QoS ${qos} arrives once, as QoS ${qos}`, async () => {
        const topic = `${name}/qos/${flag}/${qos}`;
        const subscriber = await mqttClient(endpoint, options);
        await subscriber.mqtt.subscribeAsync(`${topic}/#`, { qos });
        const args = ["-V", flag, "-q", String(qos), "-t", topic, "-m", "21.5"];
        expect(await mosquittoPub(endpoint, ...args)).toEqual({ code: 0, stdout: "", stderr: "" });
        // Another publisher's message behind it shows that nothing came twice.
        const publisher = await mqttClient(endpoint, options);
        await received(subscriber, topic);
        await publisher.mqtt.publishAsync(`${topic}/end`, "end", { qos });
        await received(subscriber, `${topic}/end`);
        expect(subscriber.messages.map((each) => [each.topic, String(each.payload), each.qos])).toEqual([
          [topic, "21.5", qos],
          [`${topic}/end`, "end", qos],
        ]);
        await Promise.all([subscriber.mqtt.endAsync(), publisher.mqtt.endAsync()]);
      });

    test(`${version}: a retained message reaches who subscribes later`, async () => {
      const topic = `${name}/retained/${flag}`;
      const published = await mosquittoPub(endpoint, "-V", flag, "-r", "-q", "1", "-t", topic, "-m", "kept");
      expect(published.code).toBe(0);
      const subscriber = await mqttClient(endpoint, options);
      await subscriber.mqtt.subscribeAsync(topic, { qos: 1 });
      expect(await received(subscriber, topic)).toMatchObject({ payload: Buffer.from("kept"), retain: true });
      await subscriber.mqtt.endAsync();
    });

    test(`${version}: the will of a client that is killed arrives`, async () => {
      const topic = `${name}/will/${flag}`;
      const watcher = await mqttClient(endpoint, options);
      await watcher.mqtt.subscribeAsync(topic, { qos: 1 });
      const will = ["--will-topic", topic, "--will-payload", "gone", "--will-qos", "1"];
      const command = ["mosquitto_sub", ...mosquittoArguments(endpoint), "-V", flag, "-t", "x", "-d", ...will];
      // -d prints line by line only on a terminal or under stdbuf.
      const doomed = Bun.spawn(["stdbuf", "-oL", ...command], { stdout: "pipe", stderr: "ignore" });
      cleanup(() => doomed.kill("SIGKILL"));
      let printed = "";
      for await (const chunk of doomed.stdout) {
        printed += Buffer.from(chunk).toString();
        if (printed.includes("received SUBACK")) break;
      }
      expect(printed).toContain("received SUBACK");
      expect(watcher.messages).toEqual([]);
      doomed.kill("SIGKILL");
      expect(await received(watcher, topic)).toMatchObject({ payload: Buffer.from("gone"), qos: 1 });
      await watcher.mqtt.endAsync();
    });

    test(`${version}: a client that says goodbye leaves no will`, async () => {
      const topic = `${name}/no-will/${flag}`;
      const watcher = await mqttClient(endpoint, options);
      await watcher.mqtt.subscribeAsync(`${topic}/#`, { qos: 1 });
      const leaving = await mqttClient(endpoint, {
        ...options,
        will: { topic, payload: Buffer.from("gone"), qos: 1, retain: false },
      });
      await leaving.mqtt.publishAsync(`${topic}/last`, "bye", { qos: 1 });
      await leaving.mqtt.endAsync();
      const after = await mqttClient(endpoint, options);
      await after.mqtt.publishAsync(`${topic}/after`, "", { qos: 1 });
      await received(watcher, `${topic}/after`);
      expect(watcher.messages.map((each) => each.topic)).toEqual([`${topic}/last`, `${topic}/after`]);
      await Promise.all([watcher.mqtt.endAsync(), after.mqtt.endAsync()]);
    });

    test(`${version}: 1 MB arrives whole in both directions`, async () => {
      const topic = `${name}/large/${flag}`;
      const payload = randomBytes(MEGABYTE);
      const file = join(temporaryDirectory(), "payload");
      writeFileSync(file, payload);
      // From the program to MQTT.js, ...
      const subscriber = await mqttClient(endpoint, options);
      await subscriber.mqtt.subscribeAsync(topic, { qos: 1 });
      expect(await mosquittoPub(endpoint, "-V", flag, "-q", "1", "-r", "-t", topic, "-f", file)).toMatchObject({
        code: 0,
      });
      expect(sha256((await received(subscriber, topic)).payload)).toBe(sha256(payload));
      // ... and from MQTT.js to the program.
      const reversed = Buffer.from(payload).reverse();
      await subscriber.mqtt.publishAsync(topic, reversed, { qos: 1, retain: true });
      const command = [
        "mosquitto_sub",
        ...mosquittoArguments(endpoint),
        "-V",
        flag,
        "-t",
        topic,
        "-C",
        "1",
        "-N",
        "-W",
        "20",
      ];
      const program = Bun.spawn(command, { stdout: "pipe" });
      const output = new Uint8Array(await new Response(program.stdout).arrayBuffer());
      expect(await program.exited).toBe(0);
      expect(sha256(output)).toBe(sha256(reversed));
      await subscriber.mqtt.endAsync();
    });

    test(`${version}: a persistent session gets what was published while it was away`, async () => {
      const topic = `${name}/away/${flag}`;
      const kept: IClientOptions = {
        ...options,
        clean: false,
        clientId: `${name}-sleeper-${flag}`,
        ...(options.protocolVersion === 5 ? { properties: { sessionExpiryInterval: 300 } } : {}),
      };
      const before = await mqttClient(endpoint, kept);
      expect(before.sessionPresent).toBe(false);
      await before.mqtt.subscribeAsync(topic, { qos: 1 });
      await before.mqtt.endAsync();
      expect(await mosquittoPub(endpoint, "-V", flag, "-q", "1", "-t", topic, "-m", "while away")).toMatchObject({
        code: 0,
      });
      const after = await mqttClient(endpoint, kept);
      expect(after.sessionPresent).toBe(true);
      expect(await received(after, topic)).toMatchObject({ payload: Buffer.from("while away"), qos: 1 });
      expect(before.messages).toEqual([]);
      await after.mqtt.endAsync();
    });
  }
}
