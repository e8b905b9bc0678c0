// ChaCha20-Poly1305 (RFC 8439) for a message of one block, which Bun's node:crypto lacks. It seals one alert of three bytes on a
// connection that ends with it, so neither speed nor constant time matters.

const PRIME = (1n << 130n) - 5n;
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;
const BLOCK = 64;

/** The message sealed, with its tag of 16 bytes behind it. `message` has at most 64 bytes. */
export function sealBlock(key: Buffer, nonce: Buffer, additional: Buffer, message: Buffer): Buffer {
  const stream = chachaBlock(key, nonce, 1);
  const sealed = Buffer.from(message.map((byte, at) => byte ^ stream[at]!));
  // RFC 8439 2.8: what is authenticated comes padded, with both lengths behind it.
  const lengths = Buffer.alloc(16);
  lengths.writeUInt32LE(additional.length, 0);
  lengths.writeUInt32LE(sealed.length, 8);
  return Buffer.concat([sealed, poly1305(chachaBlock(key, nonce, 0), [padded(additional), padded(sealed), lengths])]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((16 - (bytes.length % 16)) % 16)]);
}

/** RFC 8439 2.3. */
function chachaBlock(key: Buffer, nonce: Buffer, counter: number): Buffer {
  const start = new Uint32Array(16);
  start.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let at = 0; at < 8; at++) start[4 + at] = key.readUInt32LE(4 * at);
  start[12] = counter;
  for (let at = 0; at < 3; at++) start[13 + at] = nonce.readUInt32LE(4 * at);
  const state = start.slice();
  const step = (a: number, b: number, c: number, bits: number): void => {
    state[a]! += state[b]!;
    const mixed = state[c]! ^ state[a]!;
    state[c] = (mixed << bits) | (mixed >>> (32 - bits));
  };
  const quarter = (a: number, b: number, c: number, d: number): void => {
    step(a, b, d, 16);
    step(c, d, b, 12);
    step(a, b, d, 8);
    step(c, d, b, 7);
  };
  for (let round = 0; round < 10; round++) {
    for (let column = 0; column < 4; column++) quarter(column, 4 + column, 8 + column, 12 + column);
    for (let column = 0; column < 4; column++)
      quarter(column, 4 + ((column + 1) % 4), 8 + ((column + 2) % 4), 12 + ((column + 3) % 4));
  }
  const block = Buffer.alloc(BLOCK);
  for (let at = 0; at < 16; at++) block.writeUInt32LE((state[at]! + start[at]!) >>> 0, 4 * at);
  return block;
}

/** RFC 8439 2.5, of parts of whole 16-byte blocks; `key` is the first 32 bytes. */
function poly1305(key: Buffer, parts: readonly Buffer[]): Buffer {
  const number = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
  const r = number(key.subarray(0, 16)) & CLAMP;
  const message = Buffer.concat(parts);
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16)
    sum = ((sum + number(message.subarray(at, at + 16)) + (1n << 128n)) * r) % PRIME;
  const tag = (sum + number(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Buffer.from(tag.toString(16).padStart(32, "0"), "hex").reverse();
}
