// CONNECTs that are broken on purpose are read as a second reader has them, and nothing throws. Many more: test/long/connect.long.test.ts.

import { expect, test } from "bun:test";
import { tryHostileConnects } from "../../support/hostile-packets.ts";

test("20 000 broken CONNECTs: none is taken that a plainer reader refuses, and none refused that it takes", () => {
  const { outcomes, details } = tryHostileConnects(20_000, Number(process.env.SLUICE_FUZZ_SEED ?? 20260814));
  const seen = [...outcomes.keys()];
  expect(seen).toEqual(
    expect.arrayContaining(["ok", "more", "malformed", "protocol-error", "unsupported-version", "too-large"]),
  );
  // What a refusal is explained with is one of a fixed set of texts, and says nothing that was sent.
  expect(details.size).toBeLessThan(120);
  for (const detail of details) expect(detail).toMatch(/^[A-Za-z][\w ,.:;'[\]()-]+$/);
});
