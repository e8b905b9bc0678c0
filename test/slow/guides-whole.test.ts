// Every guide, and the page to start from, works as it is printed, up to the message that arrives at a real broker.

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { follow, stepsOf } from "../support/guide.ts";
import { BIN_SLUICE, ROOT, SLUICE } from "../support/sluice.ts";

const GUIDES = ["start.md", ...readdirSync(join(ROOT, "docs/guides")).map((name) => `guides/${name}`)];

/**
 * Guides to what cannot be had here, whose way is gone elsewhere: a public authority (seed-003.test.ts, with another one), systemd and a
 * cluster (systemd.test.ts, kubernetes.test.ts), an engine for containers (npm run test:image), a newer Mosquitto (test/peers); and pairs,
 * which coming-from.long.test.ts runs.
 */
const ELSEWHERE = ["acme", "systemd", "kubernetes", "containers", "coming-from", "mosquitto-2.1"].map(
  (name) => `guides/${name}.md`,
);

for (const name of GUIDES.filter((each) => each.endsWith(".md")))
  describe(name, () => {
    const steps = stepsOf(name).filter(({ newer }) => !newer);

    test.skipIf(ELSEWHERE.includes(name))("ends with a message that has gone through a broker", () => {
      expect(steps.some(({ what }) => /(^|, )prints /.test(what))).toBe(true);
    });

    test("works as it is printed", async () => {
      // The page to start from with the program that its commands name, and so from its source.
      await follow(steps, { program: name === "start.md" ? BIN_SLUICE : SLUICE });
    }, 240_000);
  });
