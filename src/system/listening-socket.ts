// Listening sockets that no process accepts on: the master makes and holds them, and workers inherit them. So connections that wait in the
// queue of a worker that dies wait for the one that replaces it (a queue is reset when its last holder closes it), and options that are
// set here are those of every connection that is accepted, without a system call for each.
//
// socket(7), tcp(7), ip(7), ipv6(7) of Linux.

import { networkInterfaces } from "node:os";
import { formatIp, parseAddress } from "../ip/address.ts";
import { checked, libc, pointerTo } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_KEEPALIVE = 9;
const SO_REUSEPORT = 15;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_DEFER_ACCEPT = 9;
const TCP_USER_TIMEOUT = 18;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/** The bytes of sockaddr_in6, the larger one. */
const SOCKADDR_BYTES = 28;

/** Where a socket listens. */
export interface SocketAddress {
  /** An IP address; with a zone (fe80::1%eth0) where it needs one. */
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
}

/**
 * Binds an address that nobody else listens on. From then on others of the same user may bind beside it (`bindBeside`), but nobody
 * exclusively: so two Sluices never share a port without knowing it, and there is no moment between proof and use.
 * @returns the descriptor, which children inherit only where it is given to them. It does not listen yet.
 * @throws the system's error: EADDRINUSE, EACCES, EADDRNOTAVAIL, EAFNOSUPPORT.
 */
export function bindAlone(where: SocketAddress): number {
  const fd = bound(where, false);
  // Linux asks for this at the next bind, and when it listens: whose sockets are of one group.
  setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  return fd;
}

/** One more socket at an address that this user has bound with `bindAlone`. @throws as that does. */
export function bindBeside(where: SocketAddress): number {
  return bound(where, true);
}

/** `backlog`: how many may wait to be accepted; the system allows net.core.somaxconn at most. May be called again, to change that. */
export function listenOn(fd: number, backlog: number): void {
  checked("listen", libc().listen(fd, backlog));
}

/** Where a socket is bound; null for one that is no TCP socket that listens. IPv4 in IPv6 clothes does not occur here. */
export function listensAt(fd: number): SocketAddress | null {
  try {
    if (getOption(fd, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM || getOption(fd, SOL_SOCKET, SO_ACCEPTCONN) !== 1)
      return null;
    return boundTo(fd);
  } catch {
    return null; // no socket, or none that is open
  }
}

/** Where a socket is bound; null where that is not an IP address. @throws the system's error for what is no socket. */
export function boundTo(fd: number): SocketAddress | null {
  const bytes = new Uint8Array(SOCKADDR_BYTES);
  const length = Uint32Array.of(bytes.length);
  checked("getsockname", libc().getsockname(fd, pointerTo(bytes), pointerTo(length)));
  const view = new DataView(bytes.buffer);
  const port = view.getUint16(2);
  const family = view.getUint16(0, true);
  if (family === AF_INET) return { address: formatIp(bytes.subarray(4, 8)), port };
  if (family !== AF_INET6) return null;
  const zone = zoneOf(view.getUint32(24, true));
  return { address: `${formatIp(bytes.subarray(8, 24))}${zone}`, port };
}

/** Half of the time a connection may be silent; in the other half it is asked so often. */
const PROBES = 3;
/** What can be told to the kernel, which counts in seconds up to 32767. */
const LEAST_MS = 2000;
const MOST_MS = 2 * 32_767_000;

/**
 * Lets accepted connections end when their client has been unreachable for `wantedMs`: it does not answer probes, or it has not
 * acknowledged what was sent, or taken anything of it, for that long. 0: never.
 */
export function setKeepAlive(fd: number, wantedMs: number): void {
  const ms = Math.min(Math.max(wantedMs, LEAST_MS), MOST_MS);
  const idleMs = ms / 2;
  const seconds = (value: number) => Math.max(1, Math.round(value / 1000));
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, wantedMs === 0 ? 0 : 1);
  setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, wantedMs === 0 ? 0 : ms);
  if (wantedMs === 0) return;
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(idleMs));
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds((ms - idleMs) / PROBES));
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

/** What is written goes out at once, of all that are accepted. */
export function setNoDelay(fd: number): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/**
 * Keeps connections whose client has said nothing for so many seconds: then they are accepted all the same. 0: accepts at once. The kernel
 * counts in the times at which it repeats its SYN-ACK: 1, 3, 7 s.
 */
export function setDeferAccept(fd: number, seconds: number): void {
  setOption(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds);
}

/**
 * Lets a program choose among the sockets of one address, in the order in which they began to listen: see socket-choice.ts.
 * @param fd any of them. @throws the system's error where that is not possible.
 */
export function attachChoice(fd: number, program: Uint8Array): void {
  // struct sock_fprog: the number of instructions, and where they are.
  const description = new Uint8Array(16);
  const view = new DataView(description.buffer);
  view.setUint16(0, program.length / 8, true);
  view.setBigUint64(8, BigInt(pointerTo(program)), true);
  const length = description.byteLength;
  checked("setsockopt", libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, pointerTo(description), length));
}

/** Children do not inherit it, unless it is given to them. */
export function keepFromChildren(fd: number): void {
  checked("fcntl", libc().fcntl(fd, F_SETFD, FD_CLOEXEC));
}

/** Who waits in its queue is reset, if no other process holds it. */
export function closeSocket(fd: number): void {
  libc().close(fd);
}

function bound(where: SocketAddress, isShared: boolean): number {
  const { family, bytes } = encode(where);
  const fd = checked("socket", libc().socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    // Connections of one that has ended are no reason to wait; one that listens still is.
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (isShared) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    // "::" takes IPv4 too, whatever the system's default is.
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    checked("bind", libc().bind(fd, pointerTo(bytes), bytes.length));
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** struct sockaddr_in and sockaddr_in6. */
function encode({ address, port }: SocketAddress): { family: number; bytes: Uint8Array } {
  const isIpv6 = address.includes(":");
  const ip = parseAddress(address);
  if (ip === null) throw new Error(`${address} is no IP address`);
  const bytes = new Uint8Array(isIpv6 ? SOCKADDR_BYTES : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  if (!isIpv6) bytes.set(ip, 4);
  else if (ip.length === 16) bytes.set(ip, 8);
  else bytes.set([0xff, 0xff, ...ip], 18);
  const zone = address.split("%")[1];
  if (zone !== undefined) view.setUint32(24, scopeOf(zone), true);
  return { family: view.getUint16(0, true), bytes };
}

/** The number of an interface; 0, which is none, for one that is not there. */
function scopeOf(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  return networkInterfaces()[zone]?.find((each) => each.family === "IPv6")?.scopeid ?? 0;
}

function zoneOf(scope: number): string {
  if (scope === 0) return "";
  const found = Object.entries(networkInterfaces()).find(([, all]) =>
    all?.some((each) => each.family === "IPv6" && each.scopeid === scope),
  );
  return `%${found?.[0] ?? scope}`;
}

function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Int32Array.of(value);
  checked("setsockopt", libc().setsockopt(fd, level, name, pointerTo(bytes), bytes.byteLength));
}

function getOption(fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  const length = Uint32Array.of(4);
  checked("getsockopt", libc().getsockopt(fd, level, name, pointerTo(value), pointerTo(length)));
  return value[0]!;
}
