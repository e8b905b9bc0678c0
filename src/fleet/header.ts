// The C header of a device: what Arduino and ESP-IDF compile in. C and C++ take it; mbedTLS and BearSSL read PEM.

import { addressOf, type Device, hostOf } from "./device.ts";
import { cString } from "./words.ts";

export interface Pems {
  readonly ca: string;
  /** With its chain. */
  readonly certificate: string;
  readonly key: string;
}

/** Everything that is from outside stands in strings in ASCII, so no name can end one. */
export function cHeader(device: Device, { ca, certificate, key }: Pems): string {
  const text = (name: string, pem: string) =>
    `static const char ${name}[] SLUICE_STORAGE =\n${pem
      .trimEnd()
      .split("\n")
      .map((line) => `    ${cString(line).slice(0, -1)}\\n"`)
      .join("\n")};\n`;
  return `/* Made by sluice certs client. It holds a private key: keep it out of repositories. */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#define SLUICE_HOST ${cString(hostOf(device))}
#define SLUICE_PORT ${device.server.port}
#define SLUICE_URI ${cString(`mqtts://${addressOf(device)}`)}
#define SLUICE_CLIENT_ID ${cString(device.name)}

/* An ESP8266 keeps them in flash. */
#ifdef ARDUINO_ARCH_ESP8266
#include <pgmspace.h>
#define SLUICE_STORAGE PROGMEM
#else
#define SLUICE_STORAGE
#endif

${[text("SLUICE_CA", ca), text("SLUICE_CERTIFICATE", certificate), text("SLUICE_PRIVATE_KEY", key)].join("\n")}
#endif
`;
}
