// What to set in libraries: code that a program has, as short as it can be.

import { addressOf, type Device, hostOf } from "./device.ts";
import { STORES } from "./names.ts";
import { block, cString, javaString, pythonString } from "./words.ts";

export function pahoPython(device: Device): string[] {
  const [host, name, { port }] = [pythonString(hostOf(device)), pythonString(device.name), device.server];
  const files = `"ca_certs": "ca.crt", "certfile": "client.crt", "keyfile": "client.key"`;
  return [
    "Run in this folder, with any version of the library:",
    "",
    ...block("python", [
      "from paho.mqtt import publish",
      "",
      `publish.single("hello", "world", hostname=${host}, port=${port}, client_id=${name},`,
      `               tls={${files}})`,
    ]),
    "",
    "A client that stays is told the same before it connects:",
    "",
    ...block("python", [
      `client.tls_set(ca_certs="ca.crt", certfile="client.crt", keyfile="client.key"${device.isKeyEncrypted ? ", keyfile_password=PASSWORD" : ""})`,
      `client.connect(${host}, ${port})`,
    ]),
  ];
}

export function pahoJava(device: Device): string[] {
  const { extension, type } = STORES[device.store!];
  const set = (key: string, value: string) => `tls.setProperty("com.ibm.ssl.${key}", ${value});`;
  return [
    ...block("java", [
      "Properties tls = new Properties();",
      set("keyStore", `"client.${extension}"`),
      set("keyStoreType", `"${type}"`),
      set("keyStorePassword", "password"),
      set("trustStore", `"trust.${extension}"`),
      set("trustStoreType", `"${type}"`),
      set("trustStorePassword", "password"),
      "MqttConnectOptions options = new MqttConnectOptions();",
      "options.setSSLProperties(tls);",
      `MqttClient client = new MqttClient(${javaString(`ssl://${addressOf(device)}`)}, ${javaString(device.name)}, new MemoryPersistence());`,
      "client.connect(options);",
    ]),
    "",
    "`password` is that of the stores. It opens the key too.",
    ...(type === "PKCS12" && device.legacy === null
      ? ["Java 8 before update 301 reads neither file: `sluice certs client --legacy` makes what it reads."]
      : []),
  ];
}

export function pahoC(device: Device): string[] {
  return [
    ...block("c", [
      "MQTTClient client;",
      "MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;",
      "MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;",
      `tls.trustStore = "ca.crt";`,
      `tls.keyStore = "client.crt";`,
      `tls.privateKey = "client.key";`,
      ...(device.isKeyEncrypted ? ["tls.privateKeyPassword = password;"] : []),
      "tls.verify = 1; /* compare the server's name with its certificate */",
      "options.ssl = &tls;",
      `MQTTClient_create(&client, ${cString(`ssl://${addressOf(device)}`)}, ${cString(device.name)}, MQTTCLIENT_PERSISTENCE_NONE, NULL);`,
      "int result = MQTTClient_connect(client, &options);",
    ]),
    "",
    "Link with `-lpaho-mqtt3cs`, the library that has TLS.",
  ];
}

export function esp32(): string[] {
  return [
    "Arduino on ESP32 (`WiFiClientSecure`, here with PubSubClient), once the clock is right (`configTime`), because certificates have dates:",
    "",
    ...block("cpp", [
      `#include "sluice-client.h"`,
      "WiFiClientSecure net;",
      "PubSubClient client(net);",
      "net.setCACert(SLUICE_CA);",
      "net.setCertificate(SLUICE_CERTIFICATE);",
      "net.setPrivateKey(SLUICE_PRIVATE_KEY);",
      "client.setServer(SLUICE_HOST, SLUICE_PORT);",
      "client.connect(SLUICE_CLIENT_ID);",
    ]),
    "",
    "ESP-IDF (`esp_mqtt_client_config_t`, version 5):",
    "",
    ...block("c", [
      "esp_mqtt_client_config_t config = {",
      "    .broker.address.uri = SLUICE_URI,",
      "    .broker.verification.certificate = SLUICE_CA,",
      "    .credentials.client_id = SLUICE_CLIENT_ID,",
      "    .credentials.authentication.certificate = SLUICE_CERTIFICATE,",
      "    .credentials.authentication.key = SLUICE_PRIVATE_KEY,",
      "};",
    ]),
    "",
    "ESP8266 (`BearSSL::WiFiClientSecure`): `setTrustAnchors` and `setClientECCert`, or for RSA keys `setClientRSACert`, with",
    "`BearSSL::X509List(SLUICE_CA)`, `BearSSL::X509List(SLUICE_CERTIFICATE)` and `BearSSL::PrivateKey(SLUICE_PRIVATE_KEY)`.",
    "",
    "The files in DER are for what takes bytes.",
  ];
}
