// What to set in programs and platforms: command lines and configuration files.

import { stringify } from "yaml";
import { addressOf, type Device, hostOf } from "./device.ts";
import { STORES } from "./names.ts";
import { block, inline, shellWord, table } from "./words.ts";

export function mosquitto(device: Device): string[] {
  const { name, server } = device;
  const where = `-h ${shellWord(hostOf(device))} -p ${server.port}`;
  const files = "--cafile ca.crt --cert client.crt --key client.key";
  return [
    "In this folder:",
    "",
    ...block("sh", [`mosquitto_pub ${where} ${files} -i ${shellWord(name)} -t hello -m world`]),
    "",
    "For a bridge, in `mosquitto.conf`, with the whole paths of the files:",
    "",
    ...block("", [
      "connection sluice",
      `address ${addressOf(device)}`,
      `remote_clientid ${name}`,
      "bridge_cafile ca.crt",
      "bridge_certfile client.crt",
      "bridge_keyfile client.key",
    ]),
  ];
}

export function sinetstream(device: Device): string[] {
  const config = {
    sluice: {
      ...{ type: "mqtt", brokers: addressOf(device), topic: "hello", client_id: device.name },
      tls: { ca_certs: "ca.crt", certfile: "client.crt", keyfile: "client.key" },
    },
  };
  return [
    "In `.sinetstream_config.yml`, with the whole paths of the files:",
    "",
    ...block("yaml", stringify(config).trimEnd().split("\n")),
    "",
    "The service is then called `sluice`: `sinetstream.MessageWriter(service='sluice')`.",
  ];
}

export function thingsboard(device: Device): string[] {
  return [...javaStores(device), "", ...withMosquitto(device), "", ...BEHIND_SLUICE("ThingsBoard")];
}

export function tempus(device: Device): string[] {
  return [...javaStores(device), "", ...withMosquitto(device), "", ...BEHIND_SLUICE("Tempus")];
}

/** By what their own clients call them (MqttSslClient of both). */
function javaStores(device: Device): string[] {
  const { extension, type } = STORES[device.store!];
  return [
    "For the platform's Java client:",
    "",
    ...table(
      ["setting", "value"],
      [
        ["`MQTT_URL`", inline(`ssl://${addressOf(device)}`)],
        ["`CLIENT_ID`", inline(device.name)],
        ["`KEY_STORE_FILE`", `\`client.${extension}\`, of the type ${type}`],
        ["`CLIENT_KEYSTORE_PASSWORD`, `CLIENT_KEY_PASSWORD`", "the password of the stores, one for both"],
        ["trust store", `the same file, or \`trust.${extension}\` with the same password`],
        ["alias", "`client`; the authority is `ca`"],
      ],
    ),
  ];
}

function withMosquitto(device: Device): string[] {
  const where = `-h ${shellWord(hostOf(device))} -p ${device.server.port}`;
  const files = "--cafile ca.crt --cert client.crt --key client.key";
  const client = `-i ${shellWord(device.name)}`;
  return [
    "Or with Mosquitto's client, in this folder:",
    "",
    ...block("sh", [`mosquitto_pub ${where} ${files} ${client} -t v1/devices/me/telemetry -m '{"temperature":25}'`]),
  ];
}

const BEHIND_SLUICE = (platform: string): string[] => [
  `Sluice takes TLS off, so ${platform} does not see the certificate. It knows the device by the user name of CONNECT, which is its access`,
  "token: the device sends it, or Sluice's `mqttIdentity` puts it in by the certificate.",
];

export function generic(device: Device): string[] {
  const { name, server, isKeyEncrypted } = device;
  const { extension, type } = STORES[device.store!];
  return table(
    ["setting", "value"],
    [
      ["host", inline(hostOf(device))],
      ["port", String(server.port)],
      ["protocol", "MQTT over TLS 1.2 or 1.3 (`mqtts://`, `ssl://`)"],
      ["client id", inline(name)],
      ["authority (CA certificate, trust)", "`ca.crt`"],
      ["client certificate", "`client.crt`"],
      ["private key", `\`client.key\`${isKeyEncrypted ? ", which is encrypted" : ""}`],
      ["or all three in a key store", `\`client.${extension}\` (${type}); the entries are \`client\` and \`ca\``],
    ],
  );
}
