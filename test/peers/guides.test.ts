// The guides that have a part for programs newer than Debian's stable ones, from beginning to end with the newer ones.

import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { follow, stepsOf } from "../support/guide.ts";
import { peer } from "../support/peers.ts";
import { ROOT, SLUICE } from "../support/sluice.ts";
import { temporaryDirectory } from "../support/tools.ts";

const path = temporaryDirectory();
writeFileSync(join(path, "mosquitto"), `#!/bin/sh\nexec ${peer("sbin/mosquitto").join(" ")} "$@"\n`, { mode: 0o755 });

const guides = readdirSync(join(ROOT, "docs/guides"))
  .map((name) => `guides/${name}`)
  .filter((name) => stepsOf(name).some(({ newer }) => newer));

test("there are some", () => {
  expect(guides).toContain("guides/mosquitto-2.1.md");
});

for (const name of guides)
  test(`${name} works as it is printed, with Mosquitto 2.1`, async () => {
    await follow(stepsOf(name), { program: SLUICE, path });
  }, 60_000);
