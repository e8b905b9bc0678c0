// A link to the whole machine among the dynamic files: what served goes on, and Sluice still hears its signals. How long it takes depends
// on the machine, and it takes a processor meanwhile.

import { expect, test } from "bun:test";
import { rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { echoEdge, echoes } from "../support/echo.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

test("a directory full of loops and with a link to the whole machine: what served goes on, it comes back, and SIGTERM is heard", async () => {
  const sluice = await Sluice.start({ dynamic });
  const successful = () => sluice.metric("sluice_config_last_reload_successful");
  const links = ["a", "b", "c", "root"].map((name) => join(sluice.dynamicDirectory, name));
  const spoil = () => {
    for (const link of links) symlinkSync(link.endsWith("root") ? "/" : ".", link);
    truncateSync(join(sluice.dynamicDirectory, "dynamic.yml"));
  };
  spoil();
  await waitFor("the load to be refused", async () => (await successful()) === 0, 120_000);
  await echoes(sluice.port);
  for (const link of links) rmSync(link);
  sluice.write("dynamic.yml", dynamic);
  await waitFor("the load", async () => (await successful()) === 1, 120_000);
  await echoes(sluice.port);
  spoil();
  await echoes(sluice.port);
  expect(await sluice.stop()).toBe(0);
}, 300_000);
