// The recorded vectors of test/fixtures/vectors/, one file for each protocol.

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What was sent: in one piece, or, where that is long, as pieces and how often each is repeated. */
export interface Recorded {
  readonly hex?: string;
  readonly parts?: readonly (readonly [hex: string, times: number])[];
}

export function readVectors(file: "connect.json" | "proxy-protocol.json"): unknown {
  return JSON.parse(readFileSync(join(import.meta.dir, "../fixtures/vectors", file), "utf8"));
}

export function bytesOf({ hex, parts }: Recorded): Buffer {
  return Buffer.from(hex ?? parts!.map(([each, times]) => each.repeat(times)).join(""), "hex");
}
