// A first load that throws ends the start with one line: where, why, and what to do.

import { expect, test } from "bun:test";
import { watch } from "node:fs";
import { Diagnostics } from "../../../src/config/diagnostics.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { Reloader, type ReloadOutcome } from "../../../src/control/reloader.ts";
import { StartError } from "../../../src/control/start-error.ts";
import type { Provider } from "../../../src/providers/provider.ts";

const config = parseStatic("s.yml", "entryPoints: { mqtts: { address: ':8883' } }\n", new Diagnostics())!;
const sound: Provider = {
  name: "file",
  start: () => Promise.resolve(),
  current: () => ({ offer: null, fresh: false, diagnostics: new Diagnostics() }),
  refresh: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/** What the start ends with when a provider throws `error`. */
async function started(error: unknown): Promise<unknown> {
  const reloader = new Reloader(config, [{ ...sound, start: () => Promise.reject(error) }], null, () => {});
  try {
    return await reloader.start();
  } catch (thrown) {
    return thrown;
  } finally {
    await reloader.close();
  }
}

/** As node:fs throws it when it cannot watch. */
function unwatched(code: string): Error {
  try {
    watch("/nowhere/at/all");
  } catch (error) {
    return Object.assign(error as Error, { code });
  }
  throw new Error("/nowhere/at/all exists");
}

test.each([
  ["ENOSPC", "fs.inotify.max_user_watches"],
  ["EMFILE", "fs.inotify.max_user_instances"],
])("no more watches (%s): the limit to raise is named", async (code, limit) => {
  const error = await started(unwatched(code));
  expect(error).toBeInstanceOf(StartError);
  expect((error as Error).message).toStartWith(
    "the configuration: cannot be loaded: /nowhere/at/all cannot be watched",
  );
  expect((error as Error).message).toContain(`raise sysctl ${limit}`);
  expect((error as Error).message).toEndWith("or set providers.file.poll");
});

test("a reload that finds no more watches names the limit too, and is refused", async () => {
  let current = sound.current;
  const outcomes: ReloadOutcome[] = [];
  const provider = { ...sound, current: () => current() };
  const reloader = new Reloader(config, [provider], null, (outcome) => outcomes.push(outcome));
  await reloader.start();
  current = () => {
    throw unwatched("ENOSPC");
  };
  reloader.now();
  await reloader.close();
  expect(outcomes).toMatchObject([{ compiled: null, refused: ["file"] }]);
  expect(outcomes[0]!.diagnostics.list.map(({ message }) => message)).toEqual([
    "cannot be loaded: /nowhere/at/all cannot be watched, the system's limit of watches is reached: raise sysctl fs.inotify.max_user_watches, or set providers.file.poll",
  ]);
});

test("anything else is one line too", async () => {
  const error = await started(new Error("something broke"));
  expect(error).toBeInstanceOf(StartError);
  expect((error as Error).message).toBe(
    "the configuration: cannot be loaded: something broke: mend that, and start Sluice again; if nothing is wrong there, report it as a bug",
  );
});
