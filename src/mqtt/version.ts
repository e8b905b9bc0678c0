// The versions of MQTT that are read, by their names in the configuration.

/** 3.1 (IBM and Eurotech, 2010), 3.1.1 and 5 (OASIS). */
export const MQTT_VERSIONS = ["3.1", "3.1.1", "5"] as const;
export type MqttVersion = (typeof MQTT_VERSIONS)[number];

/** What else they are called: by their protocol levels, and by programs such as mosquitto_pub. */
const OTHER_NAMES = new Map<string, MqttVersion>([
  ...MQTT_VERSIONS.map((version) => [version, version] as const),
  ["3", "3.1"],
  ["31", "3.1"],
  ["4", "3.1.1"],
  ["311", "3.1.1"],
  ["5.0", "5"],
  ["50", "5"],
]);

/** Reads a version's name; one of another form is an error that says which one is meant. */
export function readVersion(
  text: string,
): { readonly kind: "ok"; readonly version: MqttVersion } | { readonly kind: "error"; readonly message: string } {
  const version = MQTT_VERSIONS.find((each) => each === text);
  if (version !== undefined) return { kind: "ok", version };
  const meant = OTHER_NAMES.get(text.trim().replace(/^(mqtt)?[ _-]?v?/i, ""));
  const help = meant === undefined ? `there are ${MQTT_VERSIONS.join(", ")}` : `did you mean ${meant}?`;
  return { kind: "error", message: `${JSON.stringify(text.slice(0, 60))} is no version of MQTT: ${help}` };
}
