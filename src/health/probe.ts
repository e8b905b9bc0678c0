// One check of a server: its name, a connection to one of its addresses, TLS and a PROXY header where the transport has them, and the
// conversation. All of it within one deadline.

import { isIP } from "node:net";
import { parseAddress } from "../ip/address.ts";
import type { Deadlines, Timed } from "../net/deadlines.ts";
import { type Dial, type DialError, type Dialer, type DialOwner, isUnixPath } from "../net/dial.ts";
import type { HostLookup } from "../net/resolve.ts";
import { judgeServer } from "../net/server-verdict.ts";
import {
  closeGracefully,
  type HandshakeError,
  type NativeSocket,
  type NativeTlsSocket,
  NOBODY,
  type SocketOwner,
} from "../net/socket.ts";
import { upgradeClient } from "../net/tls.ts";
import type { ClientContexts } from "../upstream/client-contexts.ts";
import { type Server, type Transport, verifiedName } from "../upstream/service.ts";
import { writeLocalHeader, writeProxyLine } from "../wire/proxy-header.ts";
import type { Conversation, Step } from "./talk.ts";
import type { Verdict } from "./verdict.ts";

/** What all checks share. */
export interface ProbeTools {
  readonly dialer: Dialer;
  readonly lookup: HostLookup;
  readonly contexts: ClientContexts;
  readonly deadlines: Deadlines;
}

export interface ProbeRequest {
  readonly server: Server;
  readonly transport: Transport;
  /** null: the server's own. */
  readonly port: number | null;
  readonly timeoutMs: number;
  readonly conversation: Conversation;
}

/** `ms`: from the beginning to the last answer. */
export type ProbeDone = (verdict: Verdict, ms: number) => void;

const DIAL_WORDS: Readonly<Record<DialError, string>> = {
  refused: "nothing listens there",
  timeout: "no connection in time",
  unreachable: "there is no way to it",
  reset: "it resets the connection",
  dns: "its name has no address",
  tls: "no TLS with it",
  certificate: "its certificate does not pass",
  descriptors: "Sluice has no descriptor left",
  "local-ports": "Sluice has no local port left",
  "source-addresses": "none of sourceAddresses is on this machine",
  absent: "there is no such socket",
  permission: "Sluice may not use that socket",
  other: "the system refuses the connection",
};

/** Deadlines are met within two ticks of a tenth of a second. What comes so much later shows that this process was busy. Milliseconds. */
const LATE_MS = 500;

export class Probe implements DialOwner, SocketOwner, Timed {
  wheelTick = -1;
  wheelIndex = 0;
  readonly #tools: ProbeTools;
  readonly #request: ProbeRequest;
  #done: ProbeDone | null;
  readonly #startedAt = performance.now();
  #addresses: readonly string[] = [];
  #address = 0;
  #dial: Dial | null = null;
  #socket: NativeSocket | null = null;
  /** How far it has come: what an end of the connection or of the time means. */
  #stage: "dial" | "tls" | "talk" = "dial";

  /** `done` is called once, and never within `start`; not at all when it is cancelled. */
  constructor(tools: ProbeTools, request: ProbeRequest, done: ProbeDone) {
    this.#tools = tools;
    this.#request = request;
    this.#done = done;
  }

  start(): void {
    const { server, timeoutMs } = this.#request;
    this.#tools.deadlines.set(this, timeoutMs);
    this.#tools.lookup.resolve(server.host, (addresses) => {
      setImmediate(() => {
        if (this.#done === null) return;
        this.#addresses = addresses;
        if (addresses.length === 0) this.#failed("dns");
        else this.#dialAddress();
      });
    });
  }

  cancel(): void {
    this.#done = null;
    this.#release();
  }

  /** Each address gets its part of the time that is left: one that swallows packets must not take the others'. */
  #dialAddress(): void {
    const { server, port, timeoutMs, transport } = this.#request;
    const left = timeoutMs - (performance.now() - this.#startedAt);
    const part = Math.max(1, left / (this.#addresses.length - this.#address));
    const address = this.#addresses[this.#address]!;
    this.#dial = this.#tools.dialer.dial(
      address,
      port ?? server.port,
      part,
      transport.keepAliveMs,
      this,
      transport.sourceAddresses,
    );
  }

  onDialFailed(reason: DialError): void {
    this.#dial = null;
    if (reason === "timeout" && this.#isLate) return this.#late();
    this.#address++;
    if (this.#address < this.#addresses.length) this.#dialAddress();
    else this.#failed(reason);
  }

  onDialOpen(socket: NativeSocket): void {
    this.#dial = null;
    if (this.#done === null) return socket.terminate();
    const { server, transport } = this.#request;
    const header = headerOf(socket, server, transport);
    // It fits any empty send buffer: where it does not, the server is gone already.
    if (header !== null && socket.write(header) !== header.length) {
      socket.terminate();
      return this.#failed("reset");
    }
    if (!server.tls) return this.#begin(socket);
    const name = verifiedName(server, transport);
    this.#stage = "tls";
    try {
      const context = this.#tools.contexts.get(transport.tls);
      this.#socket = upgradeClient(socket, { context, serverName: isIP(name) === 0 ? name : "" }, this);
    } catch {
      socket.terminate();
      this.#failed("tls");
    }
  }

  onHandshake(success: boolean, error: HandshakeError | null): void {
    if (this.#stage !== "tls" || this.#socket === null) return;
    const { server, transport } = this.#request;
    const name = verifiedName(server, transport);
    const socket = this.#socket as NativeTlsSocket;
    const fault = judgeServer(socket, success, error, name, transport.tls.insecureSkipVerify);
    if (fault !== null) this.#failed(fault);
    else this.#begin(socket);
  }

  #begin(socket: NativeSocket): void {
    this.#socket = socket;
    this.#stage = "talk";
    socket.data = this;
    this.#take(this.#request.conversation.begin());
  }

  onData(chunk: Buffer): void {
    if (this.#stage === "talk") this.#take(this.#request.conversation.push(chunk));
  }

  #take(step: Step): void {
    if (step.kind === "wait") return;
    const { bytes } = step;
    if (bytes !== null && this.#socket!.write(bytes) !== bytes.length)
      return this.#settle({ kind: "failed", reason: "silent", detail: "it does not read what is sent" });
    if (step.kind === "done") this.#settle(step.verdict);
  }

  onEnd(): void {
    this.#ended();
  }

  onClose(): void {
    this.#ended();
  }

  #ended(): void {
    if (this.#stage === "tls") this.#failed("tls");
    else this.#settle({ kind: "failed", reason: "closed", detail: "it closes the connection without a whole answer" });
  }

  onDrain(): void {}

  onDeadline(): void {
    if (this.#isLate) this.#late();
    else if (this.#stage === "dial") this.#failed(this.#addresses.length === 0 ? "dns" : "timeout");
    else
      this.#settle({
        kind: "failed",
        reason: "silent",
        detail: `it takes the connection, and does not answer${this.#stage === "tls" ? " with TLS" : ""} in time`,
      });
  }

  get #isLate(): boolean {
    return performance.now() - this.#startedAt > this.#request.timeoutMs + LATE_MS;
  }

  /** The answer may lie there unread. */
  #late(): void {
    this.#settle({ kind: "failed", reason: "late", detail: "Sluice itself was busy for too long" });
  }

  #failed(reason: DialError): void {
    this.#settle({ kind: "failed", reason, detail: DIAL_WORDS[reason] });
  }

  #settle(verdict: Verdict): void {
    const done = this.#done;
    if (done === null) return;
    this.#done = null;
    this.#release();
    done(verdict, performance.now() - this.#startedAt);
  }

  #release(): void {
    this.#tools.deadlines.clear(this);
    this.#dial?.cancel();
    this.#dial = null;
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.data = NOBODY;
    closeGracefully(socket);
  }
}

/** What goes before everything else; null: nothing, or the connection is gone. Version 1 has no LOCAL, and says the truth: Sluice itself. */
function headerOf(socket: NativeSocket, { host }: Server, { proxyProtocol }: Transport): Buffer | null {
  if (proxyProtocol === null) return null;
  // A Unix socket has no addresses, but both ends of it are on this machine.
  const isUnix = isUnixPath(host);
  const source = isUnix ? THIS_MACHINE : endOf(socket.localAddress, socket.localPort);
  const destination = isUnix ? THIS_MACHINE : endOf(socket.remoteAddress, socket.remotePort);
  if (source === null || destination === null) return null;
  const ends = { source, destination };
  return proxyProtocol.version === 1 ? writeProxyLine(ends) : writeLocalHeader(ends);
}

const THIS_MACHINE = { address: Uint8Array.of(127, 0, 0, 1), port: 0 };

function endOf(address: string | undefined, port: number | undefined) {
  const bytes = address === undefined ? null : parseAddress(address);
  return bytes === null || port === undefined ? null : { address: bytes, port };
}
