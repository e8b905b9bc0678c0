// Turns: one at a time, in one process and among several, and a holder that dies is no obstacle.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inTurn } from "../../../src/system/turns.ts";
import { cleanup, temporaryDirectory, waitFor } from "../../support/tools.ts";

const directory = temporaryDirectory();
const lock = join(directory, "turn.lock");
const TURNS = join(import.meta.dir, "../../../src/system/turns.ts");
const start = (code: string) => {
  const script = `import { inTurn } from ${JSON.stringify(TURNS)}; import { appendFileSync } from "node:fs"; ${code}`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  cleanup(() => child.kill("SIGKILL"));
  return child;
};

test("tasks of one process take turns", async () => {
  let [inside, most] = [0, 0];
  await Promise.all(
    Array.from({ length: 10 }, () =>
      inTurn(lock, async () => {
        most = Math.max(most, ++inside);
        await Bun.sleep(1);
        inside--;
      }),
    ),
  );
  expect({ most, inside }).toEqual({ most: 1, inside: 0 });
});

test("processes take turns", async () => {
  const log = join(directory, "log");
  writeFileSync(log, "");
  const work = `for (let n = 0; n < 20; n++) await inTurn(${JSON.stringify(lock)}, async () => {
    appendFileSync(${JSON.stringify(log)}, "in\\n"); await Bun.sleep(0); appendFileSync(${JSON.stringify(log)}, "out\\n"); });`;
  const codes = await Promise.all([start(work), start(work), start(work)].map((child) => child.exited));
  expect(codes).toEqual([0, 0, 0]);
  expect(readFileSync(log, "utf8")).toBe("in\nout\n".repeat(60));
});

test("the turn of a program that was killed is over", async () => {
  const child = start(
    `await inTurn(${JSON.stringify(lock)}, async () => { console.log("in"); await Bun.sleep(600_000); });`,
  );
  let said = "";
  void (async () => {
    for await (const chunk of child.stdout) said += new TextDecoder().decode(chunk);
  })();
  await waitFor("its turn", () => said === "in\n");
  let entered = false;
  const next = inTurn(lock, async () => {
    entered = true;
  });
  await Bun.sleep(100);
  expect(entered).toBe(false);
  child.kill("SIGKILL");
  await next;
  expect(entered).toBe(true);
});

test("work that fails gives the turn on, and a lock that cannot be opened is the system's error", async () => {
  const failing = inTurn(lock, async () => {
    throw new Error("no");
  });
  expect(failing).rejects.toThrow("no");
  await failing.catch(() => {});
  expect(await inTurn(lock, async () => "in")).toBe("in");
  const nowhere = inTurn(join(directory, "missing/turn.lock"), async () => {});
  expect(nowhere).rejects.toMatchObject({ code: "ENOENT" });
});
