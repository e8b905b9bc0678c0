// How the servers of a load balancer are watched, as the master needs it.

import type { CertificateFiles } from "../certs/files.ts";
import type { Code } from "../config/codes.ts";
import type { Diagnostics } from "../config/diagnostics.ts";
import type { HealthCheckConfig, PassiveConfig } from "../config/health.ts";
import { fullName } from "../config/names.ts";
import type { ServiceConfig } from "../config/service.ts";
import { isMqttText } from "../mqtt/text.ts";
import { DEFAULT_PASSIVE, type HealthCheck, type MqttTalk, type Passive } from "../upstream/health.ts";
import { firstLine } from "./first-line.ts";
import type { Item } from "./merge.ts";

/** Says what is wrong with a field of `healthCheck.mqtt`; `isStoodIn`: what it gave before is used. */
type Wrong = (code: Code, field: string, message: string, isStoodIn?: boolean) => void;

/** null: there is none, or it cannot work; then a diagnostic says so, and the servers are not checked. */
export function compileCheck(
  config: HealthCheckConfig | undefined,
  name: string,
  item: Item<ServiceConfig>,
  files: CertificateFiles,
  diagnostics: Diagnostics,
): HealthCheck | null {
  if (config === undefined) return null;
  const { port, send = "", expect = "", interval, unhealthyInterval, timeout, rise, fall, mqtt } = config;
  let isSound = true;
  const wrong: Wrong = (code, field, message, isStoodIn = false) => {
    if (!isStoodIn) isSound = false;
    const place = item.at("loadBalancer", "healthCheck", "mqtt", field);
    const about = { kind: "service", name: fullName(name, item.provider) } as const;
    const effect = isStoodIn ? "" : ": its servers are not checked";
    diagnostics.error(code, place, `the service "${name}": healthCheck.mqtt.${field}: ${message}${effect}`, about);
  };
  const talk =
    mqtt === undefined ? ({ kind: "tcp", send, expect } as const) : talkOf(mqtt, item.provider, files, wrong);
  if (!isSound) return null;
  return {
    port: port ?? null,
    intervalMs: interval,
    unhealthyIntervalMs: unhealthyInterval ?? interval,
    timeoutMs: timeout,
    rise,
    fall,
    talk,
  };
}

function talkOf(
  mqtt: NonNullable<HealthCheckConfig["mqtt"]>,
  provider: string,
  files: CertificateFiles,
  wrong: Wrong,
): MqttTalk {
  const { version, clientId, username } = mqtt;
  for (const [field, value] of Object.entries({ clientId, username }))
    if (value !== undefined && !isMqttText(value)) wrong("field-value", field, "it cannot be a text of MQTT");
  const given = mqtt.password !== undefined ? "password" : mqtt.passwordFile !== undefined ? "passwordFile" : null;
  if (given !== null && username === undefined && version !== "5")
    wrong("field-missing", given, `MQTT ${version} has no password without a user name, and there is no username`);
  return {
    kind: "mqtt",
    version,
    clientId: clientId ?? null,
    username: username ?? null,
    password: passwordOf(mqtt, provider, files, wrong),
  };
}

function passwordOf(
  { password, passwordFile }: NonNullable<HealthCheckConfig["mqtt"]>,
  provider: string,
  files: CertificateFiles,
  wrong: Wrong,
): string | null {
  if (passwordFile === undefined) {
    const secret = files.secret(password, undefined);
    if (secret.kind === "ok") return secret.value;
    wrong("field-value", "password", secret.message);
    return null;
  }
  files.owner = provider;
  const outcome = files.text(passwordFile, firstLine);
  if (outcome.kind === "ok") return outcome.value;
  wrong(outcome.code, "passwordFile", outcome.message, outcome.former !== null);
  return outcome.former;
}

/** null: the default. */
export function compilePassive(config: PassiveConfig | undefined): Passive | null {
  if (config === undefined) return null;
  const { failures, unanswered, window, coolDown } = config;
  const passive: Passive = { failures, unanswered, windowMs: window, coolDownMs: coolDown };
  return Bun.deepEquals(passive, DEFAULT_PASSIVE) ? null : passive;
}
