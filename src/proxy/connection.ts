// One client connection: the socket, what is known, what is held, and the step that is in charge. Which step follows which is in way.ts.

import type { PlaceHeld } from "../admission/in-order.ts";
import type { Key } from "../admission/keys.ts";
import { Newcomer, type Newcomers } from "../admission/newcomers.ts";
import type { AdmissionReject } from "../admission/reject.ts";
import { fingerprintOf } from "../certs/client-identity.ts";
import type { Client, IdleLimit, Lease, Middleware, Passed, Refused, Verdict } from "../middlewares/middleware.ts";
import { connackFor, type Refusal } from "../mqtt/connack.ts";
import type { Connect } from "../mqtt/connect.ts";
import { type ConnectChanges, rewriteConnect } from "../mqtt/rewrite.ts";
import type { Timed } from "../net/deadlines.ts";
import { type Bandwidth, narrower, pacedSides } from "../net/paced-side.ts";
import { Relay, type RelayEnd, type RelayOwner } from "../net/relay.ts";
import {
  closeGracefully,
  type HandshakeError,
  type NativeSocket,
  type NativeTlsSocket,
  NOBODY,
  type SocketOwner,
  unmap,
} from "../net/socket.ts";
import type { Chooser, Target } from "../upstream/service.ts";
import { digestOf } from "../upstream/sticky.ts";
import type { Applicant, Yielding } from "./admission.ts";
import { BytesAhead } from "./ahead.ts";
import { refusalFor } from "./connack-of.ts";
import { tapConnack } from "./connack-tap.ts";
import type { Edge, EntryPoint, LiveConnection } from "./edge.ts";
import { watchIdle } from "./idle-watch.ts";
import type { RouteMeters, Stage } from "./meters.ts";
import type { Reason } from "./reasons.ts";
import { ConnectionRecord } from "./record.ts";
import { watchSilence } from "./silence.ts";

/**
 * A step of the way: it owns the client's socket while it runs, has its own fields and its own deadline, and hands on what it found. What
 * the client sends meanwhile is held, and a client that leaves ends the connection, unless a step says otherwise.
 */
export abstract class Step implements SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  protected readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** The connection is over, or goes on in another step: nothing of this one may stay under way. */
  leave(): void {
    this.connection.edge.deadlines.clear(this);
  }

  onData(chunk: Buffer): void {
    this.connection.holdAhead(chunk);
  }

  onDrain(): void {}

  onEnd(): void {
    this.connection.finish("client-gone");
  }

  onClose(): void {
    this.connection.finish("client-gone");
  }

  onHandshake(_success: boolean, _error: HandshakeError | null): void {}

  onDeadline(): void {}
}

/** A CONNECT that has been read, and what middlewares have made of it. */
interface Gated {
  readonly connect: Connect;
  changes: ConnectChanges | null;
  idle: IdleLimit | null;
  /** What middlewares have said of it that took their time; null: none has. */
  verdicts: Map<Middleware, Verdict> | null;
}

export class Connection implements Client, Chooser, RelayOwner, LiveConnection, Applicant {
  readonly edge: Edge;
  readonly entryPoint: EntryPoint;
  readonly record: ConnectionRecord;
  /** The accepted socket; after a handshake, the TLS one on top of it. */
  socket: NativeSocket;
  /** The version of the tables by which its route was chosen: when it has changed after a wait, the way decides again. */
  version = 0;
  /** What is in charge: a step, then the relay. */
  #charge: Step | Relay | null = null;
  #isOver = false;
  #ahead: BytesAhead | null = null;
  #gated: Gated | null = null;
  /** null: it has come in, or waits for Sluice. */
  #newcomer: Newcomer<Yielding> | null = null;
  /** Where it is one: among those who may yet come in, or those who wait for their own address. */
  #crowd: Newcomers<Yielding> | null = null;
  /** null while only a balancer's is known, which never counts. */
  addressKey: Key | null = null;
  /** It is not asked by the entry point's admission. */
  isExempt = false;
  #stage: Stage = "accepted";
  /** Of the entry point's limits, until its end. */
  #places: PlaceHeld[] | null = null;
  /** Among the handshakes under way. */
  #shaking: PlaceHeld | null = null;
  /** null: as fast as it goes. */
  #bandwidth: Bandwidth | null = null;
  /** Limits and counters that it holds, the route's among them. */
  #leases: Lease[] | null = null;

  constructor(edge: Edge, entryPoint: EntryPoint, socket: NativeSocket) {
    this.edge = edge;
    this.entryPoint = entryPoint;
    this.socket = socket;
    this.record = new ConnectionRecord(entryPoint.name, socket);
    edge.connections.add(this);
    entryPoint.meters.open++;
    if (entryPoint.proxyProtocol === null) this.introduce();
    else this.progress("accepted");
  }

  /** Where the client has connected to. It is asked of the system only when somebody wants to know. */
  get dialled(): { readonly address: string; readonly port: number } {
    const { record, socket } = this;
    return record.dialled ?? { address: unmap(socket.localAddress ?? ""), port: socket.localPort ?? 0 };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get serverKey(): string {
    return this.record.serverState?.key ?? "";
  }

  get clientAddress(): string {
    return this.record.clientAddress;
  }

  get sni(): string {
    return this.record.sni;
  }

  get clientCertificate(): Buffer | null {
    if (this.record.certificate !== "verified") return null;
    return (this.socket as NativeTlsSocket).getPeerX509Certificate()?.raw ?? null;
  }

  get connect(): Connect | null {
    return this.#gated?.connect ?? null;
  }

  get clientId(): string {
    const gated = this.#gated;
    return gated === null ? "" : (gated.changes?.clientId ?? gated.connect.clientId);
  }

  get username(): string {
    const gated = this.#gated;
    if (gated === null) return "";
    const changed = gated.changes?.username;
    return (changed === undefined ? gated.connect.username : changed) ?? "";
  }

  get certificate(): string {
    const der = this.clientCertificate;
    return der === null ? "" : fingerprintOf(der);
  }

  /** Its CONNECT, whose bytes are held, is whole. */
  connected(connect: Connect): void {
    const { version, clientId, username, keepAlive, clean, will } = connect;
    this.record.mqtt = { version, clientId, username, keepAlive, clean, will: will !== null };
    this.#gated = { connect, changes: null, idle: null, verdicts: null };
  }

  /** What a middleware that lets it pass has said beside that. */
  note({ lease, rewrite, idle, bandwidth }: Passed): void {
    if (lease !== null) this.hold(lease);
    if (bandwidth !== undefined) this.#bandwidth = narrower(this.#bandwidth, bandwidth);
    const gated = this.#gated;
    if (gated === null) return;
    // Mostly there is one, and it is taken as it is: putting two together costs more than writing the packet.
    if (rewrite !== undefined) gated.changes = gated.changes === null ? rewrite : { ...gated.changes, ...rewrite };
    if (idle !== undefined) gated.idle = idle;
  }

  /**
   * What a middleware has said of this CONNECT that took its time, such as hashing a password; null: it is to be asked. It is the same one
   * as long as no reload changes it, and would say the same: so a reload does not double the work for a crowd that waits.
   */
  verdictOf(middleware: Middleware): Verdict | null {
    return this.#gated?.verdicts?.get(middleware) ?? null;
  }

  /** Keeps what a middleware has said. A lease is for once. */
  settle(middleware: Middleware, verdict: Verdict): void {
    const gated = this.#gated;
    if (gated === null || verdict.kind !== "pass" || verdict.lease !== null) return;
    gated.verdicts ??= new Map();
    gated.verdicts.set(middleware, verdict);
  }

  /** Hands the socket to the next step, which starts by itself. */
  pass<S extends Step>(step: S): S {
    if (this.#charge instanceof Step) this.#charge.leave();
    this.#charge = step;
    this.socket.data = step;
    if (this.edge.tracer !== null) this.edge.tracer.step(this.record, this.stepName);
    return step;
  }

  /** Whether this step is still the one in charge: what it waited for may come too late. */
  isIn(step: Step): boolean {
    return this.#charge === step;
  }

  /** Keeps something that is given back when the connection ends. */
  hold(lease: Lease): void {
    if (this.#leases === null) this.#leases = [lease];
    else this.#leases.push(lease);
  }

  /**
   * Makes it one of a route's open connections; of a former route it is none any more, and all that was held for that is given back. It
   * counts as routed when no other route can come: relayed, or at its end.
   */
  choose(meters: RouteMeters | null): void {
    const former = this.record.meters;
    const gated = this.#gated;
    if (gated !== null) gated.changes = gated.idle = null;
    this.#bandwidth = null;
    if (former !== null) {
      former.open--;
      this.#release();
    }
    this.record.meters = meters;
    if (meters !== null) meters.open++;
  }

  /** Holds what came before there is a broker to write it to; over a limit, the connection ends. */
  holdAhead(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#ahead ??= new BytesAhead(this.edge.pool, this);
    this.#ahead.hold(chunk, this.socket);
  }

  /** How many bytes are held. */
  get heldBytes(): number {
    return this.#ahead?.heldBytes ?? 0;
  }

  /** What is held, as one piece; it stays held. */
  wholeAhead(): Buffer {
    return this.#ahead?.whole() ?? NOTHING;
  }

  /** Writes what middlewares want to be changed into the CONNECT that is held. False: there is no such CONNECT, for it would be too long. */
  rewriteAhead(): boolean {
    const gated = this.#gated;
    if (gated === null || gated.changes === null) return true;
    const written = rewriteConnect(gated.connect, gated.changes);
    if (written !== null) this.#ahead?.replace(gated.connect.packet.length, written);
    return written !== null;
  }

  get ahead(): readonly Buffer[] {
    return this.#ahead?.chunks ?? NO_CHUNKS;
  }

  /** What is held, `first` before it; it is not held any more. */
  takeAhead(first: Buffer): Buffer {
    return this.#ahead?.take(first) ?? first;
  }

  /** It is with a server now, where it counts as open already. */
  reachServer({ server, state }: Target): void {
    this.record.server = server.address;
    this.record.serverState = state;
  }

  /** It is over there, and goes on. */
  leaveServer(result: "closed" | "silent"): void {
    this.record.serverState?.left(result);
    this.record.serverState = null;
  }

  /**
   * Both sockets are open: from here on the relay owns them. `header` goes to the server before the stream, in one write with what the
   * client has sent: there are servers that read both at once. `ended`: the client has finished sending already. `sent`: bytes of what
   * is held that the server has.
   */
  relay(target: Target, server: NativeSocket, header: Buffer | null, ended: boolean, sent = 0): void {
    if (this.#charge instanceof Step) this.#charge.leave();
    const meters = this.record.meters!;
    meters.connections++;
    const { terminationDelayMs } = target.transport;
    const sides = this.#bandwidth === null ? undefined : pacedSides(this.#bandwidth);
    const relay = new Relay(this.edge.pool, this.socket, server, terminationDelayMs, meters, this, sides);
    this.#charge = relay;
    if (this.edge.tracer !== null) this.edge.tracer.step(this.record, this.stepName);
    const gated = this.#gated;
    const { clientId } = this;
    this.#gated = null;
    this.record.shortenNames();
    if (gated !== null && target.takesOver && clientId !== "")
      this.#watchTakeover(target, relay, gated.connect, clientId);
    if (gated?.idle) this.hold(watchIdle(relay, this.edge.deadlines, gated.connect, gated.idle.keepAliveZeroMs));
    const ahead = this.#ahead;
    this.#ahead = null;
    const { connectTimeoutMs } = this.entryPoint;
    // Its server answers a hello, and then waits for the rest of the handshake, which nobody here sees.
    if (connectTimeoutMs > 0 && ahead !== null && isHandshake(ahead.chunks[0]))
      this.hold(watchSilence(relay, this.edge.deadlines, connectTimeoutMs, ahead.heldBytes));
    if (header !== null) relay.server.send(ahead === null ? header : Buffer.concat([header, ...ahead.chunks]));
    if (ahead !== null) {
      const { paused, heldBytes } = ahead;
      if (sent > 0 && sent < heldBytes) relay.server.send(ahead.whole().subarray(sent));
      const { chunks } = ahead;
      ahead.release();
      for (const chunk of chunks) {
        if (header === null && sent === 0) relay.client.onData(chunk);
        else relay.client.count(chunk.length);
      }
      if (paused && !relay.client.paused) relay.client.resume();
    }
    if (ended) relay.client.onEnd();
  }

  /** The client id is the one that the server sees. When it lets it in, an older connection of the same one on another server ends. */
  #watchTakeover({ service, server }: Target, relay: Relay, { version }: Connect, clientId: string): void {
    const { takeovers } = this.edge.sharing;
    tapConnack(relay.server, version, ({ code }) => {
      if (code !== 0 || this.#isOver) return;
      this.hold(takeovers.letIn({ service, client: digestOf(clientId), address: server.address }, this));
    });
  }

  onRelayClosed(reason: RelayEnd, bytesIn: number, bytesOut: number): void {
    this.#isOver = true;
    this.#charge = null;
    this.#count(reason, bytesIn, bytesOut);
  }

  /** Ends a connection that is not relayed yet. Whatever of it is open is closed. `isTold`: the client has an answer to read. */
  finish(reason: Reason, isTold = false): void {
    this.#finish(reason, refusalFor(reason), isTold);
  }

  #finish(reason: Reason, refusal: Refusal | null, isTold: boolean): void {
    const step = this.#charge;
    if (this.#isOver || step instanceof Relay) return;
    this.#isOver = true;
    this.#charge = null;
    step?.leave();
    this.#ahead?.release();
    this.#ahead = null;
    this.socket.data = NOBODY;
    const hasAnswer = this.#tell(refusal) || isTold;
    // After a timeout the client is not listening anyway; the rest may still have a close_notify or an alert to read.
    if (reason === "handshake-timeout" || reason === "hello-timeout") this.socket.terminate();
    else if (hasAnswer) this.edge.lingers.close(this.socket);
    else closeGracefully(this.socket);
    if (this.record.meters !== null) this.record.meters.connections++;
    this.#count(reason, 0, 0);
  }

  /** Ends it, after `last`, a fatal alert or another answer that the client understands. */
  refuse(reason: Reason, last: Uint8Array): void {
    if (this.#isOver) return;
    this.socket.write(last);
    this.finish(reason, true);
  }

  /** Ends it for a reason of a middleware's, which may have an answer of its own to a CONNECT. */
  reject({ reason, refusal }: Refused): void {
    this.#finish(reason, refusal ?? refusalFor(reason), false);
  }

  /** Ends it at once, because its certificate has been revoked. */
  revoke(): void {
    if (this.#charge instanceof Relay) this.#charge.abort("client-certificate-revoked");
    else this.finish("client-certificate-revoked");
  }

  /** On an entry point where a balancer may speak for it, its address is known only now. */
  introduce(): void {
    const { admission, newcomers } = this.entryPoint;
    const { key, isExempt } = admission.look(this.record.clientAddress);
    this.addressKey = key;
    this.isExempt = isExempt;
    this.progress("accepted");
    if (!isExempt && newcomers.of(key) > admission.maxSilent) newcomers.firstOf(key)?.who.giveWay();
  }

  /** It has come a step further, and has its time anew before it gives way to others. */
  progress(stage: Stage): void {
    this.#stage = stage;
    this.#join(this.entryPoint.newcomers);
  }

  /** It waits, because its address has more handshakes than it may. */
  waitForOwn(): void {
    this.#join(this.entryPoint.waiters);
  }

  #join(crowd: Newcomers<Yielding>): void {
    this.#newcomer ??= new Newcomer<Yielding>(this);
    if (this.#crowd !== crowd) this.#crowd?.leave(this.#newcomer);
    this.#crowd = crowd;
    crowd.enter(this.#newcomer, this.addressKey);
  }

  stay(place: PlaceHeld): void {
    this.#places ??= [];
    this.#places.push(place);
  }

  /** Its handshake is under way; null: it is over. */
  shaking(place: PlaceHeld | null): void {
    const former = this.#shaking;
    this.#shaking = place;
    former?.release();
  }

  /** Ends it, for it is not admitted. */
  turnAway(reason: AdmissionReject, stage: Stage): void {
    this.entryPoint.meters.refuse(reason, stage);
    this.finish(reason);
  }

  /** It has said what there is to say, and waits for others; or it is over. It gives way to nobody. */
  comeIn(): void {
    if (this.#newcomer !== null) this.#crowd?.leave(this.#newcomer);
    this.#newcomer = null;
    this.#crowd = null;
  }

  giveWay(): void {
    this.entryPoint.meters.refuse("gave-way", this.#stage);
    this.finish("gave-way");
  }

  /** Ends it in order, if it is relayed: its server is drained, or what it came by has been removed. */
  letGo(reason: "drained" | "removed" | "taken-over"): void {
    if (this.#charge instanceof Relay) this.#charge.close(reason);
    else if (this.record.serverState !== null) this.finish(reason); // its server has not answered yet
  }

  /** Closes whatever there is, for a shutdown. */
  shutdown(): void {
    this.#closeFor("shutdown");
  }

  closeByHand(): void {
    this.#closeFor("closed-by-hand");
  }

  #closeFor(reason: "shutdown" | "closed-by-hand"): void {
    if (this.#charge instanceof Relay) this.#charge.close(reason);
    else this.finish(reason);
  }

  traffic(): { readonly bytesIn: number; readonly bytesOut: number } {
    const charge = this.#charge;
    if (charge instanceof Relay) return { bytesIn: charge.client.received, bytesOut: charge.server.received };
    return { bytesIn: this.heldBytes, bytesOut: 0 };
  }

  get stepName(): string {
    return this.#charge === null ? "accept" : this.#charge.constructor.name.toLowerCase();
  }

  get isResumed(): boolean {
    return this.record.tlsVersion !== "" && (this.socket as NativeTlsSocket).isSessionReused();
  }

  /** A client that has sent CONNECT is told why it does not come in; whether there was something to say. */
  #tell(refusal: Refusal | null): boolean {
    const gated = this.#gated;
    this.#gated = null;
    if (gated === null || refusal === null) return false;
    const connack = connackFor(refusal, gated.connect.version, gated.connect.maximumPacketSize);
    if (connack !== null) this.socket.write(connack);
    return connack !== null;
  }

  #count(reason: Reason, bytesIn: number, bytesOut: number): void {
    const { edge, entryPoint, record } = this;
    edge.connections.delete(this);
    this.comeIn();
    this.shaking(null);
    if (this.#places !== null) for (const place of this.#places) place.release();
    entryPoint.meters.open--;
    entryPoint.meters.ended(reason);
    if (record.meters !== null) record.meters.open--;
    record.serverState?.left(reason);
    this.#release();
    entryPoint.bans?.note(record, reason);
    if (edge.tracer !== null) edge.tracer.ended(record, reason);
    edge.observer.onEnd(record, reason, bytesIn, bytesOut);
  }

  #release(): void {
    const leases = this.#leases;
    this.#leases = null;
    if (leases !== null) for (const lease of leases) lease.release();
  }
}

/** Whether a stream begins with a record of TLS's handshake. */
function isHandshake(bytes: Buffer | undefined): boolean {
  return bytes?.[0] === 22;
}

const NO_CHUNKS: readonly Buffer[] = [];
const NOTHING = Buffer.alloc(0);
