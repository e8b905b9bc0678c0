// The addresses that were refused most often: one line for all workers, of bounded length, and none where nobody was refused.

import { expect, test } from "bun:test";
import { TopRefused } from "../../../src/control/top-refused.ts";
import type { Logger } from "../../../src/observe/logger.ts";

test("who is refused most often is said in one line, over all workers, and nothing when nobody was", () => {
  const lines: { connections: number; top: unknown[] }[] = [];
  const top = new TopRefused({ info: (line: never) => void lines.push(line) } as unknown as Logger);
  top.tell();
  expect(lines).toEqual([]);
  const others = Array.from({ length: 30 }, (_, at) => [0x0a000000 + at, 1, "not-tls"] as const);
  top.heard({ type: "refused", total: 50, top: [[0xc0000207, 20, "banned"], ...others] });
  top.heard({
    ...{ type: "refused", total: 1007 },
    top: [
      ["2001:db8::", 1000, "bad-credentials"],
      [0xc0000207, 5, "not-tls"],
      ["", 2, "limit"],
    ],
  });
  top.tell();
  top.close();
  expect(lines.map(({ connections, top }) => [connections, top.length])).toEqual([[1057, 10]]);
  expect(lines[0]!.top.slice(0, 3)).toEqual([
    { client: "2001:db8::/64", connections: 1000, reason: "bad-credentials" },
    { client: "192.0.2.7", connections: 25, reason: "not-tls" },
    { client: "gone", connections: 2, reason: "limit" },
  ]);
});
