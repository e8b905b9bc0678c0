// How a load balancer's servers are watched: Traefik's healthCheck with a check of MQTT beside it, and what clients' connections tell.

import { z } from "zod";
import { MQTT_VERSIONS } from "../mqtt/version.ts";
import { password, passwordFile } from "./certificate.ts";
import type { Code } from "./codes.ts";
import { duration, field, section } from "./field.ts";

/** Bytes of `send` and of `expect`: Traefik drops longer ones in silence. */
const MAX_TEXT = 65_535;

const text = (what: string, more: { otherwise: string; example: string }) =>
  field(
    what,
    z
      .string()
      .min(1)
      .refine((value) => Buffer.byteLength(value) <= MAX_TEXT, { message: `must have at most ${MAX_TEXT} bytes` })
      .optional(),
    more,
  );

const mqtt = section({
  version: field("The version of MQTT that is spoken.", z.enum(MQTT_VERSIONS).default("3.1.1"), { example: "5" }),
  clientId: field(
    "The client id. Every server gets the same one: a device with this id would be thrown out by each check.",
    z.string().min(1).max(MAX_TEXT).optional(),
    { otherwise: "one that no other Sluice and no device has", example: "edge-check" },
  ),
  username: field("The user name.", z.string().max(MAX_TEXT).optional(), { otherwise: "none", example: "check" }),
  password: password("The password."),
  passwordFile: passwordFile("the password"),
}).superRefine((value, context) => {
  if (value.password !== undefined && value.passwordFile !== undefined)
    context.addIssue({
      code: "custom",
      path: ["passwordFile"],
      message: "and password are two sources: give one of them",
      params: { code: "fields-conflict" satisfies Code },
    });
});

const count = (least: number) => z.number().int().min(least).max(1000);

export const healthCheck = section({
  port: field("The port that is checked.", z.number().int().min(1).max(65_535).optional(), {
    otherwise: "the server's",
    example: 1884,
  }),
  send: text("What is sent when the connection is open.", { otherwise: "nothing", example: "PING\r\n" }),
  expect: text(
    "What the answer must begin with. It may come in several pieces. Without it, a connection that opens is good.",
    { otherwise: "no answer is awaited", example: "PONG" },
  ),
  mqtt: field(
    "Speak MQTT in place of `send` and `expect`: CONNECT, CONNACK, PINGREQ, PINGRESP, DISCONNECT. A broker that hangs still takes connections, and only this finds it out.",
    mqtt.optional(),
    { otherwise: "absent", example: {} },
  ),
  interval: field("The time between two checks of a server.", duration(1, "must be longer than 0").default(30_000), {
    example: "5s",
  }),
  unhealthyInterval: field("The time after a check that failed.", duration(1, "must be longer than 0").optional(), {
    otherwise: "`interval`",
    example: "1s",
  }),
  timeout: field(
    "How long a whole check may take: name, connection, TLS and answers.",
    duration(1, "must be longer than 0").default(5000),
    { example: "2s" },
  ),
  rise: field("Good checks in a row that bring a server back.", count(1).default(1), { example: 2 }),
  fall: field("Failed checks in a row that take a server out.", count(1).default(1), { example: 3 }),
}).superRefine((value, context) => {
  if (value.mqtt === undefined) return;
  for (const other of ["send", "expect"] as const)
    if (value[other] !== undefined)
      context.addIssue({
        code: "custom",
        path: [other],
        message: "does not go with mqtt, which says something else: give one of them",
        params: { code: "fields-conflict" satisfies Code },
      });
});

export const passive = section({
  failures: field(
    "Dials that fail within `window`, over all workers, and take a server out. 0: none do.",
    count(0).default(1),
    { example: 3 },
  ),
  unanswered: field(
    "Clients in a row whose CONNECT a server leaves without an answer, while another server answers it, and that take it out: it closes, resets, or stays silent. 0: none do.",
    count(0).default(3),
    { example: 5 },
  ),
  window: field("For how long a failed dial counts.", duration(1, "must be longer than 0").default(10_000), {
    example: "30s",
  }),
  coolDown: field(
    "How long a server that was taken out is left alone. Then Sluice dials it, and it is back when that works. It doubles, up to 5 minutes, while a server that is back answers nobody and is taken out again.",
    duration(1, "must be longer than 0").default(10_000),
    { example: "5s" },
  ),
});

export const failover = section({
  service: field("The service that clients go to while one of its servers is up.", z.string().min(1), {
    otherwise: "required",
    example: "main",
  }),
  fallback: field("The service that they go to while none is.", z.string().min(1), {
    otherwise: "required",
    example: "standby",
  }),
  healthCheck: field(
    "Accepted: in Sluice every service knows whether it has a server that is up.",
    section({}).optional(),
    { otherwise: "absent" },
  ),
  returnAfter: field(
    "How long a server of `service` must have been up again before clients go back there.",
    duration(0, "must not be negative").default(0),
    { otherwise: "`0`: at once", example: "1m" },
  ),
});

export type HealthCheckConfig = z.output<typeof healthCheck>;
export type PassiveConfig = z.output<typeof passive>;
