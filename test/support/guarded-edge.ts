// A Sluice with every middleware and every option on, before a Mosquitto that serves nobody but whom Sluice names, behind an HAProxy that
// takes no connection without a PROXY header.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Caller, Version } from "./callers.ts";
import { Authority } from "./certs.ts";
import { Mosquitto } from "./mosquitto.ts";
import type { Endpoint } from "./mqtt.ts";
import { haproxy } from "./neighbours.ts";
import { Sluice } from "./sluice.ts";
import { exec, freePort, temporaryDirectory } from "./tools.ts";

export const PASSWORD = "tea & sugar";
/** How the broker knows the users of the password file: names that no client can send it. */
export const IDENTITY = "@localhost.edge";
const USERS = ["anna", "bridge", "visitor"];

export interface GuardedEdge {
  readonly sluice: Sluice;
  readonly broker: Mosquitto;
  readonly authority: Authority;
  readonly endpoint: Endpoint;
  /** Past Sluice: for a client that sees what the broker has got. */
  readonly direct: Caller;
  /** Where nobody listens: the server of clients whose id begins with `lost-`. */
  readonly lostPort: number;
  /** A user of the password file. */
  caller(version: Version, clientId: string, more?: Partial<Caller>): Caller;
  /** The dynamic configuration, with another number in it: not one byte of a former router stays the same. */
  dynamic(number: number): string;
  readonly brokerLog: string;
}

export async function guardedEdge(): Promise<GuardedEdge> {
  const directory = temporaryDirectory();
  const [acl, passwords, brokerLog] = ["acl", "passwords", "mosquitto.log"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(
    acl,
    [...USERS.map((user) => `${user}${IDENTITY}`), "observer"]
      .map((user) => `user ${user}\ntopic readwrite #\n`)
      .join(""),
  );
  writeFileSync(passwords, USERS.map((user) => `${user}:${PASSWORD}\n`).join(""));
  // It hashes what is there in plain text.
  const hashed = await exec(["mosquitto_passwd", "-U", passwords]);
  if (hashed.code !== 0) throw new Error(hashed.stderr);
  const [broker, authority, door, lostPort] = await Promise.all([
    Mosquitto.start({
      lines: [`acl_file ${acl}`, `log_dest file ${brokerLog}`, "log_type all", "max_inflight_messages 100"],
    }),
    Authority.create(),
    freePort(),
    freePort(),
  ]);
  const [pair] = await Promise.all([
    authority.issue({ names: ["localhost"] }),
    haproxy(
      `frontend door
  bind 127.0.0.1:${door} accept-proxy
  maxconn 1000
  default_backend broker
backend broker
  server broker 127.0.0.1:${broker.port}`,
      [door],
    ),
  ]);
  const dynamic = (number: number) => `
tcp:
  middlewares:
    near: { ipAllowList: { sourceRange: [127.0.0.0/8] } }
    few: { inFlightConn: { amount: ${1000 + number} } }
    connect: &connect
      mqttConnect:
        timeout: 10s
        maxSize: 65536
        versions: ["3.1", "3.1.1", "5"]
        clientId: { pattern: "[a-zA-Z0-9._-]+", maxLength: 64, allowEmpty: false }
        maxKeepAlive: 5m
        cleanOnly: false
        allowWill: true
        bridges: pass
        idleTimeout: keepAlive
        keepAliveZero: ${number + 1}h
    alone: { mqttConnect: { bridges: refuse } }
    auth: { mqttAuth: { passwordFile: ${passwords}, allowAnonymous: false, certificateIsEnough: true, stripPassword: true, strictCodes: false } }
    identity: { mqttIdentity: { username: "{mqtt.username}@{sni}.edge", password: strip, require: [{ value: "{mqtt.clientId}", matches: ".{1,64}" }] } }
    five: { mqttIdentity: { clientId: "{mqtt.clientId}-of-{client.ip}" } }
  routers:
    five:
      rule: HostSNI(\`localhost\`) && MQTTVersion(\`5\`)
      priority: 10
      service: broker
      tls: &tls { options: mutual }
      middlewares: [near, few, connect, auth, identity, five]
    named:
      rule: HostSNI(\`localhost\`) && MQTTUsernameRegexp(\`.*\`) && MQTTClientIDRegexp(\`.+\`)
      priority: 5
      service: broker
      tls: *tls
      middlewares: [near, few, connect, auth, identity]
    lost:
      rule: HostSNI(\`localhost\`) && MQTTClientIDRegexp(\`lost-.*\`)
      priority: ${100 + number}
      service: lost
      tls: *tls
      middlewares: [near, few, connect, auth, identity]
    visitor:
      rule: HostSNI(\`localhost\`) && MQTTUsername(\`visitor\`)
      priority: 50
      service: broker
      tls: *tls
      middlewares: [near, few, connect, alone, auth, identity]
  serversTransports:
    told:
      proxyProtocol: { version: 2, tlvs: [alpn, authority, ssl, uniqueId, crc32c] }
  services:
    broker: { loadBalancer: { serversTransport: told, servers: [{ port: ${door} }] } }
    lost: { loadBalancer: { servers: [{ port: ${lostPort} }] } }
tls:
  options: { mutual: { clientAuth: { caFiles: [${authority.cert}], clientAuthType: VerifyClientCertIfGiven } } }
  certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }]
`;
  const sluice = await Sluice.start({
    dynamic: dynamic(0),
    entryPoint: "    proxyProtocol: { trustedIPs: [127.0.0.1/32] }",
  });
  const endpoint = { port: sluice.port, ca: authority.cert };
  return {
    sluice,
    broker,
    authority,
    endpoint,
    direct: { endpoint: { port: broker.port }, version: "5", clientId: "observer", username: "observer" },
    lostPort,
    caller: (version, clientId, more = {}) => ({
      ...{ endpoint, version, clientId, username: "anna", password: PASSWORD },
      ...more,
    }),
    dynamic,
    brokerLog,
  };
}
