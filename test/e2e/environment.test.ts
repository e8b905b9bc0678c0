// Variables of the environment that only the master needs do not reach workers and the embedded broker.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { echoEdge } from "../support/echo.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const { dynamic } = await echoEdge();

const environmentOf = (pid: number) =>
  new Map(
    readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter(Boolean)
      .map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)] as const),
  );

test("a worker, its replacement and the embedded broker have no secret and no setting of Sluice among their variables", async () => {
  const sluice = await Sluice.start({
    dynamic,
    env: {
      SLUICE_EMBEDDEDBROKER_ADDRESS: `127.0.0.1:${await freePort()}`,
      SLUICE_LOG_LEVEL: "debug",
      KEY_PASSWORD: "secret-1",
      CLOUDFLARE_DNS_API_TOKEN: "secret-2",
      AWS_SECRET_ACCESS_KEY: "secret-3",
      TZ: "Europe/Berlin",
      LC_ALL: "C",
      BUN_JSC_useFTLJIT: "1",
    },
  });
  expect(sluice.workers).toHaveLength(2);
  const [one] = sluice.workers;
  const check = (pid: number) => {
    const found = environmentOf(pid);
    expect([...found.values()].filter((value) => value.startsWith("secret-"))).toEqual([]);
    expect([...found.keys()].filter((name) => name.startsWith("SLUICE_"))).toEqual(["SLUICE_ROLE"]);
    expect(found.get("TZ")).toBe("Europe/Berlin");
    expect(found.get("LC_ALL")).toBe("C");
    expect(found.get("PATH")).toBe(process.env.PATH!);
    // What is set on purpose wins over what Sluice sets.
    expect(found.get("BUN_JSC_useFTLJIT")).toBe("1");
    expect(found.get("MIMALLOC_PURGE_DELAY")).toBe("1000");
    return found.get("SLUICE_ROLE");
  };
  expect(sluice.workers.map(check).sort()).toEqual(["broker", "worker"]);
  const master = environmentOf(sluice.masterPid);
  expect(master.get("KEY_PASSWORD")).toBe("secret-1");

  process.kill(one!, "SIGKILL");
  // Read once: children come and go between two readings.
  const both = await waitFor("both again", () => {
    const now = sluice.workers;
    return now.length === 2 && !now.includes(one!) ? now : null;
  });
  expect(both.map(check).sort()).toEqual(["broker", "worker"]);
});
