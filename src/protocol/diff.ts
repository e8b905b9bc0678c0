// What changed from one snapshot to the next, in parts that do not hold up the one who sends or receives them.

import type { Row } from "./messages.ts";

export type RowMap = ReadonlyMap<string, Row>;

export const NO_ROWS: RowMap = new Map();

/** Characters of certificates and rules in one part: a part takes a worker about a millisecond. */
const PART_SIZE = 128 * 1024;

/** Characters of a serial number in a revocation list. */
const SERIAL_SIZE = 40;

/** Characters of the name of a part of a password file. */
const PART_NAME_SIZE = 70;

/** Characters of a network such as 2001:db8:1:2::/64. */
const RANGE_SIZE = 25;

export interface Part {
  readonly put: readonly Row[];
  readonly drop: readonly string[];
}

/** The parts that turn `before` into `after`; none when they are equal. */
export function diff(before: RowMap, after: RowMap): Part[] {
  const drop: string[] = [];
  if (before.size > 0) for (const key of before.keys()) if (!after.has(key)) drop.push(key);
  const parts: Part[] = [];
  let put: Row[] = [];
  let size = 0;
  for (const [key, row] of after) {
    const former = before.get(key);
    if (former !== undefined && Bun.deepEquals(former.value, row.value)) continue;
    put.push(row);
    size += weigh(row);
    if (size < PART_SIZE) continue;
    parts.push({ put, drop: [] });
    put = [];
    size = 0;
  }
  if (put.length > 0 || drop.length > 0) parts.push({ put, drop });
  return parts;
}

type RowOf<K extends Row["kind"]> = Extract<Row, { readonly kind: K }>["value"];
type Weights = { readonly [kind in Row["kind"]]: (value: RowOf<kind>) => number };

const pairSize = ({ cert, key }: { readonly cert: string; readonly key: string }) => cert.length + key.length + 200;

function weighMiddleware(row: RowOf<"middleware">): number {
  switch (row.kind) {
    case "ipAllowList":
    case "ipDenyList":
      return (
        row.sourceRange.length * RANGE_SIZE +
        ((row.sourceFile?.v4.length ?? 0) + (row.sourceFile?.v6.length ?? 0)) * PART_NAME_SIZE
      );
    case "mqttAuth":
      return row.users.parts.length * PART_NAME_SIZE;
    default:
      return 0;
  }
}

/** Characters of a row, roughly. */
const WEIGHTS: Weights = {
  router: () => 500,
  service: () => 500,
  middleware: (row) => weighMiddleware(row) + 500,
  part: ({ text }) => text.length + 200,
  options: ({ clientCa, revoked }) =>
    clientCa.length + (revoked?.reduce((sum, list) => sum + list.serials.length, 0) ?? 0) * SERIAL_SIZE + 500,
  certificate: pairSize,
  challenge: pairSize,
  default: () => 500,
};

function weigh(row: Row): number {
  return (WEIGHTS[row.kind] as (value: Row["value"]) => number)(row.value);
}
