// The clients that people use, in every version that they speak, through a Sluice with every middleware and every option on: all that MQTT
// gives them they have there too.

import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  KINDS,
  type Kind,
  listenWithMqttJs,
  MOSQUITTO,
  MQTT_JS,
  optionsOf,
  PAHO_C,
  PAHO_PYTHON,
  paho,
  type Version,
} from "../support/callers.ts";
import {
  arrived,
  leavesWills,
  listens,
  nothingStays,
  observe,
  publishes,
  resumes,
  tellsRefusals,
} from "../support/client-suite.ts";
import { guardedEdge, IDENTITY, PASSWORD } from "../support/guarded-edge.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mosquittoArguments, mosquittoPub, mqttClient } from "../support/mqtt.ts";
import { exec, waitFor } from "../support/tools.ts";

/** A CONNECT with it has a little less than the 65536 bytes that mqttConnect takes. */
const LARGE_WILL = 60_000;

const edge = await guardedEdge();
const observer = await observe(edge);

afterAll(() => edge.sluice.kill());

const each = KINDS.flatMap((kind, at) =>
  kind.versions.map((version) => [kind.name, version, kind, `k${at}-${version}`] as [string, Version, Kind, string]),
);

test.each(each)("%s, MQTT %s", async (_, version, kind, name) => {
  await Promise.all([
    publishes(edge, observer, kind, version, name),
    listens(edge, observer, kind, version, name),
    leavesWills(edge, observer, kind, version, name, LARGE_WILL),
    kind.keepsSessions ? resumes(edge, observer, kind, version, name) : null,
    tellsRefusals(edge, kind, version, name),
  ]);
});

test("a hundred clients that come at once all get what comes, while the configuration is reloaded", async () => {
  await observer.mqtt.publishAsync("crowd/ready", "ready", { qos: 1, retain: true });
  const count = new Map<Kind, number>([
    [MQTT_JS, 40],
    [PAHO_PYTHON, 40],
    [MOSQUITTO, 10],
    [PAHO_C, 10],
  ]);
  const crowd = [...count].flatMap(([kind, clients]) =>
    Array.from({ length: clients }, (_, at) => {
      const version = kind.versions[at % kind.versions.length]!;
      return kind.listen(edge.caller(version, `crowd-${KINDS.indexOf(kind)}-${at}`), "crowd/#", 1);
    }),
  );
  // Whoever comes during a reload comes in too.
  let over = false;
  const visits = [0, 1, 2].map(async (visitor) => {
    let number = 0;
    for (; !over; number++) {
      const caller = edge.caller(number % 2 === 0 ? "3.1.1" : "5", `visitor-${visitor}`);
      expect(await MQTT_JS.publish(caller, { topic: `visits/${visitor}`, payload: `${number}`, qos: 1 })).toBe("in");
    }
    return number;
  });
  const sessions = await Promise.all(crowd);
  const payloads = Array.from({ length: 20 }, (_, at) => `message ${at}`);
  for (const [at, payload] of payloads.entries()) {
    if (at % 5 === 0) await edge.sluice.reload(() => edge.sluice.replace("dynamic.yml", edge.dynamic(at + 1)));
    await observer.mqtt.publishAsync("crowd/messages", payload, { qos: 1 });
  }
  over = true;
  const numbers = await Promise.all(visits);
  for (const session of sessions) {
    const messages = await arrived(session, "crowd/", payloads.length + 1);
    expect(messages.map(({ payload }) => String(payload))).toEqual(["ready", ...payloads]);
  }
  for (const [visitor, number] of numbers.entries()) {
    expect(number).toBeGreaterThan(2);
    const seen = await arrived(observer, `visits/${visitor}`, number);
    expect(seen.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: number }, (_, at) => at));
  }
  await Promise.all(sessions.map((session) => session.leave()));
});

test("a topic alias of the client's holds from one message to the next", async () => {
  const client = paho().open(edge.caller("5", "aliases"));
  await client.admitted();
  await client.publish("alias/of/a/long/topic", Buffer.from("one"), 1, false, { topicAlias: 3 });
  for (const payload of ["two", "three"]) await client.publish("", Buffer.from(payload), 1, false, { topicAlias: 3 });
  const messages = await arrived(observer, "alias/", 3);
  expect(messages.map(({ topic, payload }) => [topic, String(payload)])).toEqual(
    ["one", "two", "three"].map((payload) => ["alias/of/a/long/topic", payload]),
  );
  await client.leave();
});

test("who asks by a response topic and correlation data gets the answer", async () => {
  const server = await listenWithMqttJs(edge.caller("5", "server"), "question", 1);
  server.mqtt.on("message", (_topic, question, { properties }) => {
    const { responseTopic, correlationData } = properties!;
    server.mqtt.publish(responseTopic!, `answer to ${question}`, { properties: { correlationData: correlationData! } });
  });
  const { username, password } = edge.caller("5", "");
  const options = ["-V", "5", "-i", "asking", "-u", username!, "-P", password!];
  const command = ["mosquitto_rr", ...mosquittoArguments(edge.endpoint), ...options];
  const asked = await exec([...command, "-t", "question", "-e", "answer/to/rr", "-m", "where", "-W", "20"]);
  expect(asked).toEqual({ code: 0, stdout: "answer to where\n", stderr: "" });
  await server.leave();
});

test("what CONNECT says of a session, of problems and of limits reaches the broker", async () => {
  const said = {
    sessionExpiryInterval: 77,
    requestProblemInformation: false,
    receiveMaximum: 1,
    userProperties: { a: "b" },
  };
  const session = () => paho().open(edge.caller("5", "limits", { clean: false, properties: said }));
  const first = session();
  expect((await first.admitted()).present).toBe(false);
  await first.subscribe("limits/#", 1);
  first.break();
  await waitFor("it to be gone", () => first.isGone || null);
  for (const payload of ["one", "two", "three"]) await observer.mqtt.publishAsync("limits/x", payload, { qos: 1 });
  const second = session();
  expect((await second.admitted()).present).toBe(true);
  const messages = await arrived(second, "limits/x", 3);
  expect(messages.map(({ payload }) => String(payload))).toEqual(["one", "two", "three"]);
  await second.leave();
  const log = readFileSync(edge.brokerLog, "utf8");
  expect(log).toContain(`as limits-of-127.0.0.1 (p5, c0, k60, u'anna${IDENTITY}')`);
});

describe("a bridge of Mosquitto's", () => {
  /** Another Mosquitto, whose topics `name/#` are those of the broker, too. */
  const bridged = (name: string, user: string, version: string) =>
    Mosquitto.start({
      lines: [
        `connection ${name}`,
        `address localhost:${edge.endpoint.port}`,
        `bridge_cafile ${edge.endpoint.ca}`,
        `bridge_protocol_version ${version}`,
        `remote_clientid ${name}`,
        `remote_username ${user}`,
        `remote_password ${PASSWORD}`,
        "notifications false",
        "restart_timeout 1",
        `topic ${name}/# both 1`,
      ],
    });

  const CASES: [name: string, user: string, version: string, comesAs: string][] = [
    ["bridge-31", "bridge", "mqttv31", "bridge"],
    ["bridge-311", "bridge", "mqttv311", "bridge"],
    ["bridge-5", "bridge", "mqttv50", "client"],
    ["refused-311", "visitor", "mqttv311", "client"],
  ];

  test.each(CASES)(
    "%s, as user %s with %s, comes as a %s, and its messages flow both ways, once",
    async (name, user, version, as) => {
      const remote = await bridged(name, user, version);
      const far = await listenWithMqttJs(
        { endpoint: { port: remote.port }, version: "5", clientId: "far" },
        `${name}/#`,
        1,
      );
      const id = version === "mqttv50" ? `${name}-of-127.0.0.1` : name;
      const line = new RegExp(`New ${as} connected from \\S+ as ${id} \\(p\\d, c\\d, k60, u'${user}${IDENTITY}'\\)`);
      await waitFor(`the line ${line}`, () => line.test(readFileSync(edge.brokerLog, "utf8")) || null);
      // What is published before the bridge has subscribed goes by.
      const subscribed = `${id} 1 ${name}/#`;
      await waitFor("its subscription", () => readFileSync(edge.brokerLog, "utf8").includes(subscribed) || null);
      await far.mqtt.publishAsync(`${name}/from/far`, "hello", { qos: 1 });
      await arrived(observer, `${name}/from/far`, 1);
      await observer.mqtt.publishAsync(`${name}/from/near`, "hello", { qos: 1 });
      await arrived(far, `${name}/from/near`, 1);
      for (const { messages } of [far, observer]) {
        const topics = messages.map(({ topic }) => topic).filter((topic) => topic!.startsWith(name));
        // A client gets its own messages back from the broker; only a bridge does not.
        const expected = [`${name}/from/far`, `${name}/from/near`];
        expect([...new Set(topics)]).toEqual(expected);
        if (as === "bridge") expect(topics).toEqual(expected);
      }
      const refused = edge.sluice.accesses.filter((each) => each.clientId === name && each.reason !== "client-closed");
      expect(refused.map(({ reason }) => reason)).toEqual(user === "visitor" ? ["connect-not-allowed"] : []);
      await remote.stop();
    },
  );
});

test("clients whose broker goes down are told so, come again at their own pace, and are back when it is", async () => {
  const start = () => Mosquitto.start({ port: edge.lostPort });
  const broker = await start();
  const patient = { reconnectPeriod: 500, reconnectOnConnackError: true };
  const callers = (["3.1.1", "5"] as const).map((version) => edge.caller(version, `lost-js-${version}`));
  const scripts = await Promise.all(
    callers.map((caller) => mqttClient(caller.endpoint, { ...optionsOf(caller), ...patient })),
  );
  const codes: number[] = [];
  for (const { mqtt } of scripts) mqtt.on("error", (error: Error & { code?: number }) => codes.push(error.code ?? -1));
  const pythons = (["3.1.1", "5"] as const).map((version) => paho().open(edge.caller(version, `lost-py-${version}`)));
  await Promise.all(pythons.map((client) => client.admitted()));
  await mosquittoPub({ port: edge.lostPort }, "-t", "lost/ready", "-m", "ready", "-r");
  const program = await MOSQUITTO.listen(edge.caller("5", "lost-sub"), "lost/#", 0);

  await broker.stop();
  // mosquitto_sub comes again once, and tells what it is told.
  expect(await program.ended!()).toContain("Connection error: Server unavailable");
  await waitFor("each of the others to be told", () => new Set(codes).size === 2 || null);
  await waitFor("Paho's too", () => pythons.every((client) => client.codes.length > 1) || null);
  expect(new Set(codes)).toEqual(new Set([3, 0x88]));
  expect(pythons.map((client) => client.codes.find((code) => code !== 0))).toEqual([3, 0x88]);

  await start();
  await waitFor("all to be back", () => scripts.every(({ mqtt }) => mqtt.connected) || null);
  await waitFor("Paho's to be back", () => pythons.every((client) => client.codes.at(-1) === 0) || null);
  const refused = edge.sluice.accesses.filter(
    ({ clientId, reason }) => clientId?.startsWith("lost-") && (reason === "dial-failed" || reason === "service-down"),
  );
  // No storm: each has come a few times.
  expect(refused.length).toBeLessThan(100);
  await Promise.all([...scripts.map(({ mqtt }) => mqtt.endAsync()), ...pythons.map((client) => client.leave())]);
});

test("nothing of all this stays, and nothing goes wrong", async () => {
  // Of the broker that was stopped for a while, and of the one that never was there.
  const said = await nothingStays(edge);
  expect(said.map((each) => each.replace(/:.*/, "")).sort()).toEqual([
    "a server is down",
    "a server is down",
    "all servers of a service are down",
    "all servers of a service are down",
  ]);
});
