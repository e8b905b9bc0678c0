// The way of a connection, from accept to relay: which step follows which, and what a step's outcome leads to.
//
//   admit -> [preface] -> [hold] -> peek -> decide -> [middlewares] -> turn -> handshake -> identify -> [gate -> middlewares] -> dial -> [answer] -> relay
//                                   |-- plain: [gate -> middlewares] -> dial -> [answer] -> relay
//                                   |-- passed through: dial -> [answer] -> relay
//                                   '-- acme-tls/1: handshake -> end
//
// A server that does not answer leads from answer back to dial, and the next one.
//
// Each step is a file in steps/ and knows no other. A step that waits keeps a decision and never the tables; where the tables have changed
// meanwhile, it is decided again.

import type { AdmissionReject } from "../admission/reject.ts";
import { formatIp, parseAddress } from "../ip/address.ts";
import type { ConnectLimits, Refused, Stage } from "../middlewares/middleware.ts";
import type { MqttVersion } from "../mqtt/version.ts";
import type { NativeSocket, NativeTlsSocket } from "../net/socket.ts";
import { encodeAlpn, type ServerUpgrade } from "../net/tls.ts";
import type { Facts } from "../rules/ast.ts";
import { HandshakeWatch } from "../tls/handshake-watch.ts";
import { maxRecord } from "../tls/options.ts";
import { fatalAlert } from "../wire/alert.ts";
import type { Connection } from "./connection.ts";
import {
  certificateFor,
  type Decision,
  decidePlain,
  decideTls,
  isPlainOnly,
  isProvisional,
  isServedUnder,
  protocolsFor,
  type Terminating,
} from "./decide.ts";
import type { Edge, EntryPoint } from "./edge.ts";
import type { ConnectReject, ConnectResult } from "./reasons.ts";
import { admit } from "./steps/admit.ts";
import { Answer, isAnswered } from "./steps/answer.ts";
import { Ask } from "./steps/ask.ts";
import { challengeUpgrade } from "./steps/challenge.ts";
import { Dial, type Dialled } from "./steps/dial.ts";
import { Dismiss } from "./steps/dismiss.ts";
import { Gate } from "./steps/gate.ts";
import { Handshake, noteTls, type Shaken } from "./steps/handshake.ts";
import { Hold } from "./steps/hold.ts";
import { identify } from "./steps/identify.ts";
import { type Hello, Peek, type Peeked } from "./steps/peek.ts";
import { Preface, type Prefaced } from "./steps/preface.ts";
import { Turn } from "./steps/turn.ts";
import type { Route, Termination } from "./tables.ts";

const UNRECOGNIZED_NAME = fatalAlert("unrecognized_name");
const ACCESS_DENIED = fatalAlert("access_denied");
const MQTT_ALPN = encodeAlpn(["mqtt"]);
const NOTHING = Buffer.alloc(0);

/** Where the way begins. `edge` has the tables of a first commit by now. */
export function accept(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket): void {
  const connection = admit(edge, entryPoint, socket);
  if (connection === null) return;
  const { proxyProtocol } = entryPoint;
  if (proxyProtocol === null) return welcome(connection, NOTHING);
  const { clientAddress } = connection.record;
  if (clientAddress === "") return connection.finish("client-gone");
  const trusted = proxyProtocol.trusts(clientAddress);
  if (!trusted) connection.introduce();
  if (!trusted && proxyProtocol.isRequired) return connection.finish("proxy-header-missing");
  // What comes from elsewhere is looked at by peek, except where all routers are plain: a server behind them might believe its header.
  if (!trusted && !isPlainOnly(edge.tables.routes(entryPoint.name))) return welcome(connection, NOTHING);
  connection.pass(new Preface(connection, trusted, prefaced)).start();
}

/** From here on the client is who the header says. */
function prefaced(connection: Connection, { header, rest }: Prefaced): void {
  const { entryPoint, record } = connection;
  if (header === null && entryPoint.proxyProtocol?.isRequired) return connection.finish("proxy-header-missing");
  if (header?.addresses) {
    const { source, destination } = header.addresses;
    record.balancer = record.clientAddress;
    record.clientAddress = formatIp(source.address);
    record.clientPort = source.port;
    record.dialled = { address: formatIp(destination.address), port: destination.port };
    connection.introduce();
  }
  if (header !== null && entryPoint.bans?.refuses(record.clientAddress)) return connection.finish("banned");
  welcome(connection, rest);
}

/** Whoever comes too fast waits here, before anything is read. */
function welcome(connection: Connection, received: Buffer): void {
  const { entryPoint } = connection;
  if (connection.isOver) return;
  if (connection.isExempt) return begin(connection, received);
  const admitted = entryPoint.admission.enter(connection, entryPoint.newcomers);
  if (admitted.kind === "refuse") {
    if (admitted.reason !== "address-too-fast") return connection.turnAway(admitted.reason, "accepted");
    return connection.pass(new Dismiss(connection)).start(admitted.reason, "accepted");
  }
  if (admitted.ms === 0) return begin(connection, received);
  entryPoint.meters.waited(admitted.reason);
  hold(connection, received);
  if (connection.isOver) return; // what is held was over a limit
  connection.pass(new Hold(connection)).start(admitted.ms, () => begin(connection, connection.takeAhead(NOTHING)));
}

function begin(connection: Connection, received: Buffer): void {
  const { edge, entryPoint } = connection;
  if (isPlainOnly(edge.tables.routes(entryPoint.name))) return takePlain(connection, received);
  const peek = connection.pass(new Peek(connection, peeked));
  peek.start();
  if (received.length > 0) peek.onData(received);
}

/** What cannot be read as a hello is closed and never routed, but for plain MQTT where a plain router is. */
function peeked(connection: Connection, peek: Peeked): void {
  const { edge, entryPoint } = connection;
  if (peek.kind === "hello") takeHello(connection, peek.hello, peek.received);
  else if (peek.reason === "plain-mqtt" && edge.tables.routes(entryPoint.name).plain.size > 0)
    takePlain(connection, peek.received);
  else if (peek.alert === null) connection.finish(peek.reason);
  else connection.refuse(peek.reason, fatalAlert(peek.alert));
}

/** A client whose TLS, if it has any, is not looked at. */
function takePlain(connection: Connection, received: Buffer): void {
  const { edge, entryPoint } = connection;
  const decision = decidePlain(edge.tables, entryPoint.name, factsOf(connection, NO_ALPN));
  const again = () => takePlain(connection, NOTHING);
  hold(connection, received);
  if (connection.isOver) return; // what is held was over a limit
  choose(connection, decision);
  if (decision.kind === "refuse") return connection.finish(decision.reason);
  if (isOpen(connection, decision)) return awaitConnect(connection, edge.tables.connectLimits, again);
  ask(connection, decision.route, "address", (refused) => {
    if (refused !== null) connection.reject(refused);
    else if (isStale(connection)) again();
    else enter(connection, decision.route, again);
  });
}

function takeHello(connection: Connection, hello: Hello, received: Buffer): void {
  const { edge, entryPoint, record } = connection;
  record.sni = hello.kind === "ok" ? hello.sni : "";
  // What is no text (RFC 8701) is nothing to tell anybody.
  record.offeredAlpn = hello.alpn.length === 1 && !hello.alpn[0]!.includes("\\") ? hello.alpn[0]! : "";
  // An ACME challenge is for whoever obtains certificates here, never for a broker (RFC 8737 3).
  if (hello.acme) return answerChallenge(connection, received);
  const facts = factsOf(connection, hello.alpn);
  const decision = decideTls(edge.tables, entryPoint.name, facts);
  choose(connection, decision);
  if (decision.kind === "refuse") return connection.refuse(decision.reason, UNRECOGNIZED_NAME);
  if (decision.kind === "terminate" && isOpen(connection, decision))
    return awaitTurn(connection, decision, facts, hello, received);
  ask(connection, decision.route, "address", (refused) => {
    if (refused !== null) connection.refuse(refused.reason, ACCESS_DENIED);
    else if (isStale(connection)) takeHello(connection, hello, received);
    else if (decision.kind === "terminate") awaitTurn(connection, decision, facts, hello, received);
    else {
      hold(connection, received);
      dial(connection, decision.route);
    }
  });
}

function answerChallenge(connection: Connection, received: Buffer): void {
  const challenge = connection.edge.tables.challenges.get(connection.record.sni);
  if (challenge === undefined) return connection.refuse("acme-challenge", UNRECOGNIZED_NAME);
  connection
    .pass(new Handshake(connection, null))
    .start(received, challengeUpgrade(challenge), () => connection.finish("acme-challenge"));
}

function awaitTurn(connection: Connection, decision: Terminating, facts: Facts, hello: Hello, received: Buffer): void {
  const turn = connection.pass(new Turn(connection));
  let first = received;
  const onRefused = (reason: AdmissionReject) => connection.pass(new Dismiss(connection)).start(reason, "hello");
  turn.start(onRefused, () => {
    const bytes = connection.takeAhead(first);
    if (isStale(connection)) {
      connection.shaking(null);
      takeHello(connection, hello, bytes);
    } else handshake(connection, decision, facts, hello, bytes);
  });
  if (!connection.isIn(turn)) return;
  if (turn.waitsForOwn) connection.waitForOwn();
  else connection.comeIn();
  // It has to wait: its hello, of up to 64 kB, is held like what may come behind it.
  first = NOTHING;
  connection.holdAhead(received);
}

function handshake(connection: Connection, decision: Terminating, facts: Facts, hello: Hello, received: Buffer): void {
  const { edge, record, entryPoint } = connection;
  connection.progress("hello");
  const { termination } = decision;
  const { offersSession } = hello;
  // Without SNI the address that the client dialled is the name it wants, as in Traefik.
  const name = record.sni === "" ? connection.dialled.address : record.sni;
  const certificate = certificateFor(edge.tables.certificates, termination, name, hello);
  const context = certificate === null ? null : edge.serverContext(termination.options, certificate);
  if (context === null) return connection.refuse("no-certificate", UNRECOGNIZED_NAME);
  connection
    .pass(new Handshake(connection, new HandshakeWatch(termination.options, hello.versions)))
    .start(received, upgradeOf(termination, hello, context), (shaken) => {
      if (offersSession) entryPoint.meters.offered((connection.socket as NativeTlsSocket).isSessionReused());
      shook(connection, decision, facts, shaken);
    });
}

function upgradeOf(termination: Termination, hello: Hello, context: ServerUpgrade["context"]): ServerUpgrade {
  const { clientAuth, maxRecordSize } = termination.options;
  return {
    context,
    requestCert: clientAuth !== "NoClientCert",
    alpn: termination.alpn ?? (protocolsFor(termination, hello.alpn) === null ? null : MQTT_ALPN),
    maxRecord: maxRecord(maxRecordSize, hello.maxRecord),
  };
}

function shook(connection: Connection, decision: Terminating, facts: Facts, shaken: Shaken): void {
  const socket = noteTls(connection);
  connection.shaking(null);
  connection.progress("handshake");
  connection.edge.observer.onHandshake(connection.record.tlsVersion, socket.isSessionReused(), shaken.durationMs);
  letIn(connection, decision, facts, shaken);
}

/** A client whose handshake is done. What it has shown counts only where a door in force now asks for just that. */
function letIn(connection: Connection, decision: Terminating, facts: Facts, shaken: Shaken): void {
  if (isStale(connection)) return decideAgain(connection, decision, facts, shaken);
  const verdict = identify(connection, decision.termination, shaken.error);
  // Who has been refused already, and told, stays refused.
  const reject = shaken.watch?.refused ?? verdict;
  if (reject !== null) {
    shaken.watch?.tell(connection.socket as NativeTlsSocket, reject);
    return connection.finish(reject, true);
  }
  // Middlewares are asked when it is known whose they are.
  if (isOpen(connection, decision))
    return awaitConnect(connection, connection.edge.tables.connectLimits, () =>
      decideAgain(connection, decision, facts, shaken),
    );
  enter(connection, decision.route, () => letIn(connection, decision, facts, shaken));
}

/** A reload came during the handshake or later, or its CONNECT tells now which of several routers it belongs to. */
function decideAgain(connection: Connection, former: Terminating, facts: Facts, shaken: Shaken): void {
  const { edge, entryPoint } = connection;
  const isReload = isStale(connection);
  const decision = decideTls(edge.tables, entryPoint.name, { ...facts, mqtt: connection.record.mqtt });
  choose(connection, decision);
  if (decision.kind === "refuse") return connection.finish(decision.reason);
  if (!isServedUnder(former, decision)) return connection.finish(isReload ? "rules-changed" : "other-tls");
  if (isOpen(connection, decision)) return letIn(connection, decision, facts, shaken);
  ask(connection, decision.route, "address", (refused) => {
    if (refused !== null) connection.reject(refused);
    else letIn(connection, decision, facts, shaken);
  });
}

/** The last part of the way, for a client that its route lets in. `again`: the tables have changed during a wait. */
function enter(connection: Connection, route: Route, again: () => void): void {
  if (connection.connect === null) {
    if (route.gate === null) return dial(connection, route);
    return awaitConnect(connection, route.gate, () => {
      if (isStale(connection)) again();
      else enter(connection, route, again);
    });
  }
  ask(connection, route, "connect", (refused) => {
    if (refused === null && isStale(connection)) return again();
    const reject = refused ?? (connection.rewriteAhead() ? null : TOO_LONG);
    noteConnect(connection, connection.record.mqtt?.version ?? null, reject?.reason ?? "accepted");
    if (reject !== null) connection.reject(reject);
    else dial(connection, route);
  });
}

/** Reads the client's CONNECT; `next` is told when it is there and conforms. */
function awaitConnect(connection: Connection, limits: ConnectLimits, next: () => void): void {
  const end = (version: MqttVersion | null, reason: ConnectReject, connack: Buffer | null) => {
    noteConnect(connection, version, reason);
    if (connack === null) connection.finish(reason);
    else connection.refuse(reason, connack);
  };
  const gate = new Gate(connection, limits, (gated) => {
    switch (gated.kind) {
      case "ok":
        connection.edge.observer.onConnect(gated.waitedMs);
        connection.comeIn();
        connection.connected(gated.connect);
        return next();
      case "timeout":
        return end(null, "connect-timeout", null);
      case "not-mqtt":
        connection.record.cause = gated.protocol;
        return end(null, "not-mqtt", null);
      case "refuse":
        return end(gated.version, CONNECT_FAULTS[gated.fault], gated.connack);
    }
  });
  connection.pass(gate).start();
}

/** What the middlewares want to be written into it makes a field of over 65535 bytes. */
const TOO_LONG: Refused = { kind: "refuse", reason: "connect-too-large", refusal: "not-authorized" };

const CONNECT_FAULTS = {
  malformed: "connect-malformed",
  "protocol-error": "connect-protocol-error",
  "unsupported-version": "connect-version",
  "too-large": "connect-too-large",
} as const;

function noteConnect({ entryPoint }: Connection, version: MqttVersion | null, result: ConnectResult): void {
  entryPoint.meters.connect(version ?? "unknown", result);
}

/** `received` was read before all that is held of the client. */
function hold(connection: Connection, received: Buffer): void {
  if (received.length > 0) connection.holdAhead(connection.takeAhead(received));
}

function dial(connection: Connection, route: Route): void {
  if (connection.isOver) return; // what is held was over a limit
  connection.comeIn();
  if (connection.edge.outages.refuses(route.meters.service)) return connection.finish("service-down");
  const choice = route.balancer.choose(connection);
  const first = choice.next() ?? choice.lastResort();
  if (first === null) return connection.finish(choice.wasFull ? "servers-full" : "no-server");
  connection.pass(new Dial(connection, choice, first, dialled)).start();
}

function dialled(connection: Connection, { target, socket, header, ended, dial }: Dialled): void {
  if (ended || !isAnswered(connection)) connection.relay(target, socket, header, ended);
  else connection.pass(new Answer(connection, target, socket, dial)).start(header);
}

/** Asks the route's middlewares of a stage; `next` is told at once where there are none that wait. */
function ask(connection: Connection, route: Route, stage: Stage, next: (refused: Refused | null) => void): void {
  const middlewares = route.middlewares[stage];
  if (middlewares.length === 0) next(null);
  else connection.pass(new Ask(connection, middlewares, next)).start();
}

/** A client whose CONNECT has to tell whose it is counts for no router until then. */
function choose(connection: Connection, decision: Decision): void {
  connection.version = connection.edge.tables.version;
  connection.choose(isOpen(connection, decision) ? null : (decision.route?.meters ?? null));
}

function isOpen({ record }: Connection, decision: Decision): boolean {
  return decision.kind !== "refuse" && isProvisional(decision.route, record);
}

function isStale(connection: Connection): boolean {
  return connection.version !== connection.edge.tables.version;
}

const NO_ALPN: readonly string[] = [];

function factsOf({ record }: Connection, alpn: readonly string[]): Facts {
  return { sni: record.sni, alpn, address: parseAddress(record.clientAddress), mqtt: record.mqtt };
}
