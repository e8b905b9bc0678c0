// Which of the sockets at one address gets a connection, as a program for the kernel (SO_ATTACH_REUSEPORT_CBPF, socket(7); the machine of
// classic BPF is described in Linux' Documentation/networking/filter.rst). It gives the number of a socket, in the order in which they began
// to listen. Any number beyond the last leaves the choice to the kernel, which takes a hash of both addresses and both ports.

/** `connection`: each one anywhere. `address`: all of one address come to one socket, IPv6 by /64, which is one customer. */
export type Selection = "connection" | "address";

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

const LOAD_WORD = 0x20;
const LOAD_BYTE = 0x30;
const LOAD_MEMORY = 0x60;
const STORE = 0x02;
const A_TO_X = 0x07;
const ADD = 0x04;
const MULTIPLY = 0x24;
const DIVIDE = 0x34;
const MODULO = 0x94;
const SHIFT_RIGHT = 0x74;
const XOR_X = 0xac;
const JUMP = 0x05;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const RETURN = 0x06;
const RETURN_A = 0x16;

/** Offsets that are no offsets: a random number, and the packet from its IP header on (linux/filter.h). */
const RANDOM = 0xfffff000 + 56;
const IP_HEADER = 0xfff00000;
const KERNELS_CHOICE = 0xffffffff;

/** A hash of the address that a packet comes from: the whole of IPv4, the first half of IPv6. Multiplying and folding is murmur3's. */
const HASH_OF_ADDRESS: readonly Instruction[] = [
  [LOAD_BYTE, 0, 0, IP_HEADER],
  [SHIFT_RIGHT, 0, 0, 4],
  [JUMP_EQUAL, 2, 0, 6],
  [LOAD_WORD, 0, 0, IP_HEADER + 12],
  [JUMP, 0, 0, 4],
  [LOAD_WORD, 0, 0, IP_HEADER + 8],
  [A_TO_X, 0, 0, 0],
  [LOAD_WORD, 0, 0, IP_HEADER + 12],
  [XOR_X, 0, 0, 0],
  ...mixed(0x85ebca6b, 15),
  ...mixed(0xc2b2ae35, 16),
];

/**
 * A program that chooses among `count` sockets and leaves out those whose numbers are in `off`, unless that is all of them. By address, a
 * socket that is left out moves only the addresses that were its own.
 */
export function choiceProgram(selection: Selection, count: number, off: ReadonlySet<number>): Uint8Array {
  const out = [...off].filter((each) => each < count).sort((a, b) => a - b);
  const left = count - out.length;
  // The n-th of those that are left: each that is out and not above it moves it up by one.
  const nth: Instruction[] = [
    ...out.flatMap((each): Instruction[] => [
      [JUMP_AT_LEAST, 0, 1, each],
      [ADD, 0, 0, 1],
    ]),
    [RETURN_A, 0, 0, 0],
  ];
  if (selection === "connection") {
    if (out.length === 0 || left === 0) return encode([[RETURN, 0, 0, KERNELS_CHOICE]]);
    return encode([[LOAD_WORD, 0, 0, RANDOM], [MODULO, 0, 0, left], ...nth]);
  }
  const first: Instruction[] = [...HASH_OF_ADDRESS, [STORE, 0, 0, 0], [MODULO, 0, 0, count]];
  if (out.length === 0 || left === 0) return encode([...first, [RETURN_A, 0, 0, 0]]);
  return encode([
    ...first,
    ...out.flatMap((each, at): Instruction[] => [
      [JUMP_EQUAL, 0, 1, each],
      // To behind the rest of these pairs, and the return.
      [JUMP, 0, 0, (out.length - at - 1) * 2 + 1],
    ]),
    [RETURN_A, 0, 0, 0],
    [LOAD_MEMORY, 0, 0, 0],
    [DIVIDE, 0, 0, count],
    [MODULO, 0, 0, left],
    ...nth,
  ]);
}

function mixed(factor: number, shift: number): Instruction[] {
  return [
    [MULTIPLY, 0, 0, factor],
    [A_TO_X, 0, 0, 0],
    [SHIFT_RIGHT, 0, 0, shift],
    [XOR_X, 0, 0, 0],
  ];
}

/** struct sock_filter, one after another. */
function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [at, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    view.setUint16(at * 8, code, true);
    view.setUint8(at * 8 + 2, jumpTrue);
    view.setUint8(at * 8 + 3, jumpFalse);
    view.setUint32(at * 8 + 4, k >>> 0, true);
  }
  return bytes;
}
