// Wireshark's view of what a server was sent: tshark, which knows the PROXY protocol, MQTT and TLS, reads the bytes as packets.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exec, temporaryDirectory } from "./tools.ts";

/** No protocol of its own: what follows a header may be of any. */
const PORT = 40_000;
/** Packets of raw IP (pcap's list of link types). */
const RAW_IP = 101;
const [FIN, SYN, PSH, ACK] = [0x01, 0x02, 0x08, 0x10];

/** One segment of TCP in IPv4. Nobody looks at the checksums. */
function segment(fromClient: boolean, client: number, flags: number, sequence: number, acked: number, data: Buffer) {
  const packet = Buffer.alloc(40 + data.length);
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet.set([64, 6], 8);
  const [source, destination] = fromClient ? [1, 2] : [2, 1];
  packet.set([10, 0, 0, source, 10, 0, 0, destination], 12);
  packet.writeUInt16BE(fromClient ? client : PORT, 20);
  packet.writeUInt16BE(fromClient ? PORT : client, 22);
  packet.writeUInt32BE(sequence, 24);
  packet.writeUInt32BE(acked, 28);
  packet.set([0x50, flags, 0xff, 0xff], 32);
  data.copy(packet, 40);
  return packet;
}

/** A capture in which each of `connections` sends its writes, each in a packet. */
function capture(connections: readonly (readonly Buffer[])[]): Buffer {
  const start = Buffer.alloc(24);
  start.writeUInt32LE(0xa1b2c3d4, 0);
  start.writeUInt16LE(2, 4);
  start.writeUInt16LE(4, 6);
  start.writeUInt32LE(262_144, 16);
  start.writeUInt32LE(RAW_IP, 20);
  const packets: Buffer[] = [];
  for (const [index, writes] of connections.entries()) {
    const client = 50_000 + index;
    const nothing = Buffer.alloc(0);
    packets.push(segment(true, client, SYN, 0, 0, nothing), segment(false, client, SYN | ACK, 0, 1, nothing));
    let sequence = 1;
    for (const data of writes) {
      packets.push(segment(true, client, PSH | ACK, sequence, 1, data));
      sequence += data.length;
    }
    packets.push(segment(true, client, FIN | ACK, sequence, 1, nothing));
  }
  return Buffer.concat([
    start,
    ...packets.flatMap((packet) => {
      const head = Buffer.alloc(16);
      head.writeUInt32LE(packet.length, 8);
      head.writeUInt32LE(packet.length, 12);
      return [head, packet];
    }),
  ]);
}

/**
 * What tshark reads in what each connection has sent, field by field with all values of it; a field that is not there has none.
 * @param connections the writes of each one, as they came
 */
export async function dissect(
  connections: readonly (readonly Buffer[])[],
  fields: readonly string[],
  program: readonly string[] = ["tshark"],
): Promise<Record<string, string[]>[]> {
  const file = join(temporaryDirectory(), "sent.pcap");
  writeFileSync(file, capture(connections));
  const { code, stdout, stderr } = await exec([
    ...[...program, "-n", "-r", file, "-o", "tcp.try_heuristic_first:TRUE", "-T", "fields", "-E", "separator=/t"],
    ...["-E", "occurrence=a", "-E", "aggregator=|", "-e", "tcp.stream", ...fields.flatMap((field) => ["-e", field])],
  ]);
  if (code !== 0) throw new Error(`tshark: ${stderr}`);
  const read = connections.map(() => Object.fromEntries(fields.map((field): [string, string[]] => [field, []])));
  for (const line of stdout.split("\n").filter((each) => each !== "")) {
    const [stream, ...values] = line.split("\t");
    for (const [index, field] of fields.entries())
      if (values[index]) read[Number(stream)]![field]!.push(...values[index]!.split("|"));
  }
  return read;
}
