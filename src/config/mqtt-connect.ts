// The middleware mqttConnect in the configuration.

import { z } from "zod";
import { MQTT_VERSIONS } from "../mqtt/version.ts";
import { duration, field, section } from "./field.ts";

const clientId = section({
  pattern: field(
    "A regular expression (RE2 syntax) that the whole client id must match.",
    z.string().min(1).optional(),
    { otherwise: "any client id", example: "dev-[0-9]{4}", nothingIsWrong: true },
  ),
  maxLength: field("The most characters of a client id.", z.number().int().min(1).max(65_535).optional(), {
    unit: "characters",
    otherwise: "65535, as MQTT has it",
    example: 23,
    nothingIsWrong: true,
  }),
  allowEmpty: field(
    "Whether a client may send an empty client id, for which the broker then makes one up.",
    z.boolean().optional(),
    { otherwise: "as `pattern` says; yes without one", example: false, nothingIsWrong: true },
  ),
});

/** Named by Mosquitto's and HAProxy's people as by the specification: the version, never the protocol level. */
const version = z.enum(MQTT_VERSIONS);

// With nothing behind it, none of what refuses clients may be taken for absent.
export const mqttConnect = section({
  timeout: field(
    "How long a client may take from the end of TLS, or from the first byte without it, to the end of its CONNECT.",
    duration(100, "must be at least 100ms").default(10_000),
    { example: "5s" },
  ),
  maxSize: field(
    "The most bytes of a CONNECT. No more than two fifths of `limits.heldBytesPerConnection` are read, whatever is set here.",
    z
      .number()
      .int()
      .min(16)
      .max(1 << 24)
      .default(65_536),
    { unit: "bytes", example: 4096 },
  ),
  versions: field(
    "The versions of MQTT that clients may speak.",
    z
      .array(version)
      .min(1)
      .default([...MQTT_VERSIONS]),
    {
      otherwise: '["3.1", "3.1.1", "5"]',
      example: ["3.1.1", "5"],
      nothingIsWrong: true,
    },
  ),
  clientId: field("What client ids may be.", clientId.optional(), {
    otherwise: "as MQTT has it",
    nothingIsWrong: true,
  }),
  maxKeepAlive: field(
    "The longest keep alive that a client may ask for. With it, one that asks for none (0) is refused too.",
    duration(0, "must not be negative").optional(),
    { otherwise: "any, and none", example: "20m", nothingIsWrong: true },
  ),
  cleanOnly: field(
    "Refuse clients that want the broker to keep a session for them: clean session (3.1, 3.1.1) must be set; in MQTT 5 clean start must be set, and the session expiry interval must be 0.",
    z.boolean().default(false),
    { example: true, nothingIsWrong: true },
  ),
  allowWill: field("Whether a client may leave a will.", z.boolean().default(true), {
    example: false,
    nothingIsWrong: true,
  }),
  bridges: field(
    "What becomes of Mosquitto's bridges, which mark their version by an extra bit. `pass`: the broker gets it, and treats the client as a bridge. `refuse`: they get the one answer that makes them try again as ordinary clients.",
    z.enum(["pass", "refuse"]).default("pass"),
    { example: "refuse", nothingIsWrong: true },
  ),
  idleTimeout: field(
    "`keepAlive`: end a connection whose client has sent nothing for 1.5 times its keep alive, or, in MQTT 5, that of the broker's answer; a second and an eighth of it may go by beyond that.",
    z.enum(["keepAlive"]).optional(),
    { otherwise: "the broker alone watches", example: "keepAlive", nothingIsWrong: true },
  ),
  keepAliveZero: field(
    "With `idleTimeout`, how long a client that asks for no keep alive (0) may send nothing. 0: for ever.",
    duration(0, "must not be negative").optional(),
    { otherwise: "1h", example: "15m" },
  ),
});
