// What every provider of dynamic configuration does, whatever it reads. A provider's own test gives the store that it reads, and the suite
// changes what is in there as its users would: slowly, in bursts, wrongly, and by taking it away.

import { describe, expect, test } from "bun:test";
import { formatDiagnostic } from "../../src/config/diagnostics.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { waitFor } from "./tools.ts";

/** What a provider reads, as it looks from outside. Entries are parts that can be wrong each for itself. */
export interface Store {
  /** A provider that reads it; not started. */
  provider(): Provider;
  /** Puts an entry there, or in the place of the one of this name. It defines one service, of this name. */
  put(entry: string, services: readonly string[]): Promise<void>;
  /** An entry that cannot be understood. */
  spoil(entry: string): Promise<void>;
  remove(entry: string): Promise<void>;
  /** Takes away the whole store, or the way to it, and gives it back as it was. */
  hide(): Promise<void>;
  show(): Promise<void>;
  /** What a message says of where an entry stands. */
  placeOf(entry: string): string;
  /** false: the store has one entry, called "a". */
  readonly several: boolean;
  /** What is still open or watched; empty after `close`. */
  left?(): Promise<readonly string[]>;
}

interface Watched {
  readonly provider: Provider;
  /** How often it has said that something changed. */
  calls(): number;
  /** The names of the services in its offer; null without one. */
  services(): string[] | null;
  problems(): string[];
}

async function started(store: Store): Promise<Watched> {
  const provider = store.provider();
  let calls = 0;
  await provider.start(() => void calls++);
  return {
    provider,
    calls: () => calls,
    services: () => provider.current().offer?.flatMap((file) => Object.keys(file.value.tcp.services)) ?? null,
    problems: () => provider.current().diagnostics.list.map(formatDiagnostic),
  };
}

export function providerSuite(name: string, make: () => Promise<Store>): void {
  const each = (what: string, run: (store: Store, watched: Watched) => Promise<void>) =>
    test(what, async () => {
      const store = await make();
      await store.put("a", ["a"]);
      const watched = await started(store);
      try {
        await run(store, watched);
      } finally {
        await watched.provider.close();
      }
    });
  /** Until `current` says so; it is asked only after the provider has said that something changed, as the reloader does. */
  const until = async (watched: Watched, what: string, isSo: () => boolean) => {
    let seen = 0;
    await waitFor(what, () => {
      if (watched.calls() === seen) return false;
      seen = watched.calls();
      return isSo();
    });
  };

  describe(name, () => {
    each("offers what is there when it starts, and names itself", async (store, { provider, services, problems }) => {
      expect(services()).toEqual(["a"]);
      expect(problems()).toEqual([]);
      expect(provider.current()).toMatchObject({ fresh: true });
      expect(provider.current().offer!.every((file) => file.provider === provider.name)).toBe(true);
      const [file] = provider.current().offer!;
      expect(file!.source.locate(["tcp", "services", "a"]).file).toContain(store.placeOf("a"));
    });

    each("offers the same object while nothing changes", async (_, { provider }) => {
      expect(provider.current().offer).toBe(provider.current().offer);
    });

    each("sees what changes", async (store, watched) => {
      await store.put("a", ["other"]);
      await until(watched, "the change", () => watched.services()?.join() === "other");
    });

    each("keeps what it offered while an entry cannot be understood, and says which one", async (store, watched) => {
      const before = watched.provider.current().offer;
      await store.spoil("a");
      await until(watched, "the mistake", () => !watched.provider.current().fresh);
      expect(watched.provider.current().offer).toBe(before);
      expect(watched.problems().some((line) => line.includes(store.placeOf("a")))).toBe(true);
      await store.put("a", ["mended"]);
      await until(watched, "the mending", () => watched.services()?.join() === "mended");
      expect(watched.provider.current().fresh).toBe(true);
      expect(watched.problems()).toEqual([]);
    });

    each("keeps what it offered while it cannot read, says so, and comes back", async (store, watched) => {
      const before = watched.provider.current().offer;
      await store.hide();
      await until(watched, "the failure", () => !watched.provider.current().fresh);
      expect(watched.provider.current().offer).toBe(before);
      expect(watched.problems()).not.toEqual([]);
      await store.show();
      await until(watched, "the return", () => watched.provider.current().fresh);
      expect(watched.services()).toEqual(["a"]);
    });

    each("says once that something changed, until it is asked", async (store, watched) => {
      for (let n = 0; n < 50; n++) await store.put("a", [`s${n}`]);
      await waitFor("the first call", () => watched.calls() > 0);
      await store.put("a", ["last"]);
      expect(watched.calls()).toBe(1);
      await waitFor("the last state", () => watched.services()?.join() === "last");
    });

    each("reads again when it is told to", async (store, watched) => {
      await store.put("a", ["told"]);
      await watched.provider.refresh();
      await waitFor("the change", () => watched.services()?.join() === "told");
    });

    each("is silent once it is closed, and leaves nothing open", async (store, watched) => {
      await watched.provider.close();
      await store.put("a", ["later"]);
      expect(watched.calls()).toBe(0);
      expect((await store.left?.()) ?? []).toEqual([]);
    });

    test("without anything to read it has no offer, says why, and has one as soon as it can", async () => {
      const store = await make();
      await store.put("a", ["a"]);
      await store.hide();
      const watched = await started(store);
      expect(watched.provider.current()).toMatchObject({ offer: null, fresh: false });
      expect(watched.problems()).not.toEqual([]);
      await store.show();
      await until(watched, "the offer", () => watched.services()?.join() === "a");
      await watched.provider.close();
    });
  });

  describe(`${name}, of several entries`, () => {
    const several = (what: string, run: (store: Store, watched: Watched) => Promise<void>) =>
      each(what, async (store, watched) => {
        if (store.several) await run(store, watched);
      });

    several("sees one that appears, and one that disappears", async (store, watched) => {
      await store.put("b", ["b"]);
      await until(watched, "the second", () => watched.services()?.join() === "a,b");
      await store.remove("a");
      await until(watched, "the first to go", () => watched.services()?.join() === "b");
    });

    several("does not take it for empty when all of them are gone at once", async (store, watched) => {
      await store.remove("a");
      await until(watched, "the failure", () => !watched.provider.current().fresh);
      expect(watched.services()).toEqual(["a"]);
      await store.put("b", ["b"]);
      await until(watched, "the new one", () => watched.services()?.join() === "b");
    });

    several("names the one that is wrong, and not the others", async (store, watched) => {
      await store.put("b", ["b"]);
      await until(watched, "the second", () => watched.services()?.join() === "a,b");
      await store.spoil("b");
      await until(watched, "the mistake", () => !watched.provider.current().fresh);
      expect(watched.problems().join("\n")).toContain(store.placeOf("b"));
      expect(watched.problems().join("\n")).not.toContain(store.placeOf("a"));
      expect(watched.services()).toEqual(["a", "b"]);
    });
  });
}
