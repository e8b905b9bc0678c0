// MQTT matchers and CONNECTs for tests that make rules at random.

import { MQTT_VERSIONS } from "../../src/mqtt/version.ts";
import type { MqttFacts, Rule } from "../../src/rules/ast.ts";
import type { Random } from "./random.ts";

const CLIENT_IDS = ["", "sensor-1", "sensor-2", "Sensor-1"];
const USERNAMES = [null, "", "anna", "bob"];

/** Every CONNECT that the rules of `randomMqttLeaf` tell apart, and more. */
export const ALL_CONNECTS: readonly MqttFacts[] = CLIENT_IDS.flatMap((clientId) =>
  USERNAMES.flatMap((username) => MQTT_VERSIONS.map((version) => ({ clientId, username, version }))),
);

export function randomMqttLeaf(dice: Random): Rule {
  switch (dice.below(5)) {
    case 0:
      return { kind: "mqttClientId", value: dice.pick(CLIENT_IDS.slice(1)) };
    case 1:
      return { kind: "mqttClientIdRegexp", source: dice.pick(["^sensor", "1$", "^$", ".*"]) };
    case 2:
      return { kind: "mqttUsername", value: dice.pick(["anna", "bob"]) };
    case 3:
      return { kind: "mqttUsernameRegexp", source: dice.pick(["^a", "b", "^$", ".*"]) };
    default:
      return { kind: "mqttVersion", version: dice.pick(MQTT_VERSIONS) };
  }
}
