// tcp.middlewares.<name>.mqttAuth: who comes in by user name and password.

import { z } from "zod";
import { field } from "./field.ts";

export const mqttAuth = z.object({
  passwordFile: field(
    "Mosquitto's password file, as `mosquitto_passwd` writes it. It is read again when it changes. A line that cannot be used is an error and costs that user alone. While the file cannot be read, its former users stay in force; if there are none, the middleware is off.",
    z.string().min(1, "must name a file"),
    { kind: "file", otherwise: "required", example: "/etc/mosquitto/passwords" },
  ),
  allowAnonymous: field(
    "Lets a client in that sends neither a user name nor a password. One that sends them wrongly is refused all the same.",
    z.boolean().default(false),
    { example: true },
  ),
  certificateIsEnough: field(
    "Lets a client in that sends neither a user name nor a password, if it has shown a certificate that the router's TLS options have verified. One that sends them wrongly is refused all the same.",
    z.boolean().default(false),
    { example: true },
  ),
  stripPassword: field(
    "The broker does not get the password. A later `mqttIdentity` may give it another one.",
    z.boolean().default(false),
    { example: true },
  ),
  strictCodes: field(
    "Wrong credentials are answered with `bad user name or password` (4, in MQTT 5 0x86) instead of `not authorized` (5, in MQTT 5 0x87), which is what Mosquitto says.",
    z.boolean().default(false),
    { example: true },
  ),
});

export type MqttAuthConfig = z.output<typeof mqttAuth>;
