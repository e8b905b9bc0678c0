// What to set in programs with windows: the names that their forms have for it.

import { type Device, hostOf } from "./device.ts";
import { STORES } from "./names.ts";
import { block, inline, shellWord, table } from "./words.ts";

type Row = readonly [string, string];

export function android(device: Device): string[] {
  const { extension, type } = STORES[device.store!];
  return [
    "Copy the files to the device in a way that nobody else can read. Rhasspy Mobile, under Configuration, MQTT:",
    "",
    ...settings([
      ["Host", inline(hostOf(device))],
      ["Port", String(device.server.port)],
      ["Enable SSL", "on"],
      ["Choose Certificate (.bks)", `\`client.${extension}\``],
      ["KeyStore Password", "the password of the stores"],
    ]),
    "",
    `An app that is yours loads it with \`KeyStore.getInstance("${type}")\`, for both its KeyManagerFactory and its TrustManagerFactory: the entries`,
    "are `client` and `ca`. Apps that take certificates from Android itself get `client.p12` and `ca.crt` by the system's settings, under",
    "Security, Encryption & credentials, Install a certificate.",
    ...(device.legacy === null
      ? ["Old Androids do not read this `client.p12`: `sluice certs client --legacy` makes what they read."]
      : []),
    ...(device.server.host === null ? [] : ["`qr.png` is the address for the phone's camera. It holds no secret."]),
  ];
}

export function nodeRed(device: Device): string[] {
  return [
    "In the settings of the `mqtt-broker` node:",
    "",
    ...settings([
      ["Server", inline(hostOf(device))],
      ["Port", String(device.server.port)],
      ["Client ID", inline(device.name)],
      ["Use TLS (older: Enable secure (SSL/TLS) connection)", "on; its pencil opens the settings below"],
      ["Use key and certificates from local files", "on, with the whole paths; or upload the files"],
      ["Certificate", "`client.crt`"],
      ["Private Key", "`client.key`"],
      ["Passphrase", device.isKeyEncrypted ? "the password of the key" : "empty"],
      ["CA Certificate", "`ca.crt`"],
      ["Verify server certificate", "on"],
      ["Server Name", "empty: it is the server's"],
    ]),
  ];
}

export function homeAssistant(device: Device): string[] {
  return [
    "Settings, Devices & services, MQTT, Reconfigure; with the advanced options:",
    "",
    ...settings([
      ["Broker", inline(hostOf(device))],
      ["Port", String(device.server.port)],
      ["Client ID", inline(device.name)],
      ["Use a client certificate", "on"],
      ["Broker certificate validation", "Custom"],
      ["Ignore broker certificate validation", "off"],
      ["Upload custom CA certificate file", "`ca.crt`"],
      ["Upload client certificate file", "`client.crt`"],
      ["Upload private key file", "`client.key`"],
      ...(device.isKeyEncrypted ? [["Password (below the key)", "the password of the key"] as const] : []),
    ]),
  ];
}

export function mqttx(device: Device): string[] {
  const where = `-h ${shellWord(hostOf(device))} -p ${device.server.port}`;
  return [
    ...settings([
      ["Host", `\`mqtts://\` and ${inline(hostOf(device))}`],
      ["Port", String(device.server.port)],
      ["Client ID", inline(device.name)],
      ["SSL/TLS", "on"],
      ["SSL Secure", "on"],
      ["Certificate", "CA or Self signed certificates"],
      ["CA File", "`ca.crt`"],
      ["Client Certificate File", "`client.crt`"],
      ["Client key file", "`client.key`"],
    ]),
    "",
    "MQTTX CLI, in this folder:",
    "",
    ...block("sh", [
      `mqttx pub -l mqtts ${where} --ca ca.crt --cert client.crt --key client.key -i ${shellWord(device.name)} -t hello -m world`,
    ]),
    ...(device.server.host === null ? [] : ["", "`qr.png` is the address, for a phone's camera. It holds no secret."]),
  ];
}

function settings(rows: readonly Row[]): string[] {
  return table(["setting", "value"], rows);
}
