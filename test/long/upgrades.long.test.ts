// Upgrade after upgrade under connect load: nobody is refused or reset, a connection of before the first one lives through the last, old
// processes go, and nothing is lost of what was counted. The variable UPGRADES says how many.

import { expect, test } from "bun:test";
import { tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { processes } from "../support/proc.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const UPGRADES = Number(process.env.UPGRADES ?? 12);
/** Every so many upgrades a connection is opened that stays. */
const KEPT_EVERY = 4;
const CALLERS = 2;
const PATIENCE_MS = 120_000;

type Client = Awaited<ReturnType<typeof tlsClient>>;

function echoes(socket: Client): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("data", () => resolve(true));
    for (const event of ["close", "end", "error"]) socket.once(event, () => resolve(false));
    socket.write("x");
  });
}

test(
  `${UPGRADES} upgrades`,
  async () => {
    const { dynamic } = await echoEdge();
    const sluice = await Sluice.start({ dynamic, workers: 2, extra: "lifeCycle: { oldGenerations: 100 }" });
    const first = await tlsClient(sluice.port);
    expect(await echoes(first)).toBe(true);
    const kept = [first];
    let isOver = false;
    let good = 0;
    const bad: string[] = [];
    const callers = Array.from({ length: CALLERS }, async () => {
      while (!isOver) {
        try {
          const socket = await tlsClient(sluice.port);
          if (await echoes(socket)) good++;
          else bad.push("closed");
          socket.destroy();
        } catch (error) {
          bad.push((error as Error).message);
        }
      }
    });
    const generation = () => sluice.metric("sluice_generation").catch(() => 0);
    for (let round = 1; round <= UPGRADES; round++) {
      const before = good;
      process.kill(sluice.masterPid, "SIGUSR2");
      await waitFor(`generation ${round + 1}`, async () => (await generation()) === round + 1, PATIENCE_MS);
      await waitFor("clients of it", () => good > before + CALLERS, PATIENCE_MS);
      expect(bad).toEqual([]);
      if (round % KEPT_EVERY !== 0) continue;
      expect(await Promise.all(kept.map(echoes))).not.toContain(false);
      const socket = await tlsClient(sluice.port);
      expect(await echoes(socket)).toBe(true);
      if (kept.length < 4) kept.push(socket);
      else socket.destroy();
    }
    isOver = true;
    await Promise.all(callers);
    expect(bad).toEqual([]);
    expect(await Promise.all(kept.map(echoes))).not.toContain(false);

    // Old generations that have nobody are gone: the first, those with a connection that was kept, and the newest are left.
    const old = () => sluice.metric("sluice_old_generations");
    await waitFor("the empty ones to be gone", async () => (await old()) <= kept.length, PATIENCE_MS);
    const open = () => sluice.metric("sluice_entrypoint_open_connections");
    await waitFor("the others to be counted", async () => (await open()) === kept.length, PATIENCE_MS);
    const came = await sluice.metric("sluice_tls_handshake_duration_seconds_count");
    expect(came).toBeGreaterThanOrEqual(good + kept.length);
    for (const socket of kept) socket.destroy();
    await waitFor("all old ones to be gone", async () => (await old()) === 0, PATIENCE_MS);
    expect(await sluice.metric("sluice_tls_handshake_duration_seconds_count")).toBe(came);
    expect(await sluice.metric("sluice_upgrades_total", { result: "success" })).toBe(UPGRADES);
    expect(await sluice.stop()).toBe(0);
    await waitFor(
      "all processes to be gone",
      () => processes(({ parent }) => parent === sluice.masterPid).length === 0,
    );
  },
  PATIENCE_MS + UPGRADES * 60_000,
);
