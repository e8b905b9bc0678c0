// A list of networks in parts of bounded size, as it goes to the workers: a worker takes the parts as they are, and reads no text.

import { createHash } from "node:crypto";
import { NetworkSet, Ranges } from "./network-set.ts";

/** Bytes of a part: a multiple of a range of either family. */
const PART_BYTES = 32_768;

/** A list as plain data. */
export interface NetworkList {
  /** The names of its parts, in order. */
  readonly v4: readonly string[];
  readonly v6: readonly string[];
  /** The networks that were written. */
  readonly count: number;
}

/** Splits a set; `parts` has the content of each part in base64 by its name, which is its hash. */
export function splitNetworks(set: NetworkSet, count: number): { list: NetworkList; parts: Map<string, string> } {
  const parts = new Map<string, string>();
  const split = ({ bounds }: Ranges): string[] => {
    const bytes = Buffer.from(bounds.buffer, bounds.byteOffset, bounds.byteLength);
    const names: string[] = [];
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      const part = bytes.subarray(at, at + PART_BYTES);
      const name = createHash("sha256").update(part).digest("hex");
      parts.set(name, part.toString("base64"));
      names.push(name);
    }
    return names;
  };
  return { list: { v4: split(set.v4), v6: split(set.v6), count }, parts };
}

/** Puts a list together again; null: a part is not there. `partOf` gives a part by its name. */
export function joinNetworks({ v4, v6 }: NetworkList, partOf: (name: string) => string | null): NetworkSet | null {
  const join = (names: readonly string[]): Uint32Array | null => {
    const parts = names.map(partOf);
    if (parts.includes(null)) return null;
    const whole = Buffer.concat(parts.map((part) => Buffer.from(part!, "base64")));
    // A buffer of Node's need not begin where 32 bits may.
    const bytes = new Uint8Array(whole.length);
    bytes.set(whole);
    return new Uint32Array(bytes.buffer);
  };
  const [first, second] = [join(v4), join(v6)];
  return first === null || second === null ? null : new NetworkSet(new Ranges(1, first), new Ranges(4, second));
}
