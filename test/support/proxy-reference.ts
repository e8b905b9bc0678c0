// A second reading of PROXY protocol headers, as plain as it can be, and with nothing of src/. What a fuzzer compares with.

import { isIPv4, isIPv6 } from "node:net";

/** Where the header ends, and of whom it speaks: an address in hexadecimal and a port, or null. */
export interface ReferenceHeader {
  readonly length: number;
  readonly source: string | null;
}

const MAX = 4096;

/** null: it begins with no whole header that is right. */
export function referenceHeader(bytes: Buffer): ReferenceHeader | null {
  if (bytes.subarray(0, 6).toString("latin1") === "PROXY ") return line(bytes.toString("latin1", 0, 108));
  return bytes.subarray(0, 12).toString("latin1") === "\r\n\r\n\0\r\nQUIT\n" ? binary(bytes) : null;
}

function line(text: string): ReferenceHeader | null {
  const end = text.indexOf("\r\n");
  const words = text.slice(0, end).split(" ");
  if (end < 0 || end > 105 || /[\r\n]/.test(text.slice(0, end))) return null;
  if (words[1] === "UNKNOWN") return text.slice(0, end).includes("\0") ? null : { length: end + 2, source: null };
  const [, family, source = "", destination = "", ...ports] = words;
  const numbers = ports.every(
    (port) => /^\d{1,5}$/.test(port) && String(Number(port)) === port && Number(port) < 65536,
  );
  if (ports.length !== 2 || !numbers) return null;
  const good = { TCP4: isIPv4, TCP6: (each: string) => isIPv6(each) && !/[.%]/.test(each) }[family!];
  if (!good?.(source) || !good(destination)) return null;
  return { length: end + 2, source: `${addressHex(source)} ${ports[0]}` };
}

function addressHex(text: string): string {
  if (isIPv4(text)) return Buffer.from(text.split(".").map(Number)).toString("hex");
  const [head = "", tail] = text.split("::").map((half) => half.split(":").filter((word) => word !== ""));
  const groups = tail === undefined ? [...head] : [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail];
  return unmapped(
    groups
      .map((group) => group.padStart(4, "0"))
      .join("")
      .toLowerCase(),
  );
}

function unmapped(hex: string): string {
  return hex.replace(/^0{20}ffff(?=.{8}$)/, "");
}

function binary(bytes: Buffer): ReferenceHeader | null {
  if (bytes.length < 16) return null;
  const length = 16 + bytes.readUInt16BE(14);
  const [command, family] = [bytes[12]!, bytes[13]!];
  if ((command !== 0x20 && command !== 0x21) || family >> 4 > 3 || (family & 15) > 2) return null;
  if (length > MAX || bytes.length < length) return null;
  if (command === 0x20 || family >> 4 === 0 || (family & 15) === 0) return { length, source: null };
  if (family !== 0x11 && family !== 0x21) return null;
  const size = family === 0x11 ? 4 : 16;
  const start = 16 + 2 * size + 4;
  const tlvs = start > length ? null : list(bytes.subarray(start, length));
  if (tlvs === null) return null;
  const sum = tlvs.find(([type]) => type === 3)?.[1];
  if (sum !== undefined && (sum.length !== 4 || sum.readUInt32BE() !== checksum(bytes.subarray(0, length), sum)))
    return null;
  const port = bytes.readUInt16BE(16 + 2 * size);
  return { length, source: `${unmapped(bytes.toString("hex", 16, 16 + size))} ${port}` };
}

/** null: one of them overruns, or is one of TLS (2.2.5, type 0x20) whose own list does. */
function list(bytes: Buffer): [number, Buffer][] | null {
  const found: [number, Buffer][] = [];
  for (let left = bytes; left.length > 0; ) {
    if (left.length < 3) return null;
    const size = left.readUInt16BE(1);
    if (left.length < 3 + size) return null;
    const value = left.subarray(3, 3 + size);
    if (left[0] === 0x20 && (size < 5 || list(value.subarray(5)) === null)) return null;
    found.push([left[0]!, value]);
    left = left.subarray(3 + size);
  }
  return found;
}

/** CRC-32C with the four bytes of `at` as zeros. */
function checksum(header: Buffer, at: Buffer): number {
  const zeroed = Buffer.from(header);
  zeroed.fill(0, at.byteOffset - header.byteOffset, at.byteOffset - header.byteOffset + 4);
  let crc = 0xffffffff;
  for (const byte of zeroed) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

const TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});
