// What every provider of dynamic configuration does, whatever it reads. A provider's own test gives the store that it reads, and the suite
// changes what is in there as its users would: slowly, in bursts, wrongly, and by taking it away.

import { describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { formatDiagnostic } from "../../src/config/diagnostics.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { temporaryDirectory, waitFor } from "./tools.ts";

/** What a provider reads, as it looks from outside. Entries are parts that can be wrong each for itself. */
export interface Store {
  /**
   * `files`: a mistake in one refuses all of them. `parts`: a store with a key for each value, or labels, of which each router or service
   * stands for itself. `document`: one text that is kept elsewhere.
   */
  readonly kind: "files" | "parts" | "document";
  /** A provider that reads it; not started. `cache` is the directory of one that is kept elsewhere. */
  provider(cache?: string): Provider;
  /** Puts an entry there, or in the place of the one of this name. It defines one service of each of these names; of `parts`, one. */
  put(entry: string, services: readonly string[]): Promise<void>;
  /** An entry that cannot be understood; of `parts`, the service that it defines, of the same name. */
  spoil(entry: string): Promise<void>;
  remove(entry: string): Promise<void>;
  /** Takes away the whole store, or the way to it, and gives it back as it was. */
  hide(): Promise<void>;
  show(): Promise<void>;
  /** Of one that is hidden: it is there again, with nothing in it. */
  showEmpty?(): Promise<void>;
  /** What a message says of where an entry stands. */
  placeOf(entry: string): string;
  /** false: the store has one entry, called "a". */
  readonly several: boolean;
  /** What is still open or watched; empty after `close`. */
  left?(): Promise<readonly string[]>;
  /** Ends what the test began beside the provider. */
  end?(): Promise<void>;
}

interface Watched {
  readonly provider: Provider;
  /** How often it has said that something changed. */
  calls(): number;
  /** The names of the services in its offer; null without one. */
  services(): string[] | null;
  problems(): string[];
}

async function started(store: Store, cache?: string): Promise<Watched> {
  const provider = store.provider(cache);
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
        await store.end?.();
      }
    });
  const remotely = (what: string, run: () => Promise<void>) =>
    test(what, async () => {
      const store = await make();
      await store.end?.();
      if (store.kind !== "files") await run();
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
      await until(watched, "the mistake", () => watched.problems().length > 0);
      if (store.kind !== "parts") expect(watched.provider.current().offer).toBe(before);
      expect(watched.services()).toEqual(["a"]);
      expect(watched.provider.current().fresh).toBe(store.kind === "parts");
      expect(watched.problems().some((line) => line.includes(store.placeOf("a")))).toBe(true);
      await store.put("a", ["mended"]);
      await until(watched, "the mending", () => watched.services()?.join() === "mended");
      expect(watched.provider.current().fresh).toBe(true);
      expect(watched.problems()).toEqual([]);
    });

    each("keeps what it offered while it cannot read, says so, and comes back", async (store, watched) => {
      const { provider, problems, services } = watched;
      const before = provider.current().offer;
      if (store.kind !== "files") expect(provider.state!().isUp).toBe(true);
      await store.hide();
      await until(watched, "the failure", () => !provider.current().fresh);
      expect(provider.current().offer).toBe(before);
      expect(problems()).not.toEqual([]);
      if (store.kind !== "files") {
        expect(problems().join()).toContain("[provider-away]");
        expect(provider.current().remote).toMatchObject({ isAway: true });
        expect(provider.state!().isUp).toBe(false);
      }
      await store.show();
      await until(watched, "the return", () => provider.current().fresh);
      expect(services()).toEqual(["a"]);
      await store.put("a", ["later"]);
      await until(watched, "a change after the return", () => services()?.join() === "later");
      expect(problems()).toEqual([]);
      if (store.kind !== "files") expect(provider.state!().isUp).toBe(true);
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
      await store.end?.();
    });

    remotely("serves what was last good from the cache, where its store is away at a start", async () => {
      const store = await make();
      const cache = join(temporaryDirectory(), "cache");
      await store.put("a", ["a"]);
      const first = await started(store, cache);
      await first.provider.close();
      const [file] = readdirSync(cache);
      expect(statSync(join(cache, file!)).mode & 0o777).toBe(0o600);
      await store.hide();
      const second = await started(store, cache);
      expect(second.services()).toEqual(["a"]);
      expect(second.problems().join()).toContain("is served from the cache");
      expect(second.provider.current()).toMatchObject({ fresh: false, remote: { isAway: true } });
      await store.show();
      await until(second, "the return", () => second.provider.current().fresh);
      expect(second.services()).toEqual(["a"]);
      expect(second.problems()).toEqual([]);
      await second.provider.close();
      await store.end?.();
    });
  });

  describe(`${name}, of several entries`, () => {
    const only =
      (kinds: readonly Store["kind"][]) => (what: string, run: (store: Store, watched: Watched) => Promise<void>) =>
        each(what, async (store, watched) => {
          if (store.several && kinds.includes(store.kind)) await run(store, watched);
        });
    const several = only(["files", "parts", "document"]);
    const files = only(["files"]);
    const parts = only(["parts"]);

    several("sees one that appears, and one that disappears", async (store, watched) => {
      await store.put("b", ["b"]);
      await until(watched, "the second", () => watched.services()?.join() === "a,b");
      await store.remove("a");
      await until(watched, "the first to go", () => watched.services()?.join() === "b");
    });

    files("does not take it for empty when all of them are gone at once", async (store, watched) => {
      await store.remove("a");
      await until(watched, "the failure", () => !watched.provider.current().fresh);
      expect(watched.services()).toEqual(["a"]);
      await store.put("b", ["b"]);
      await until(watched, "the new one", () => watched.services()?.join() === "b");
    });

    files("names the one that is wrong, and not the others", async (store, watched) => {
      await store.put("b", ["b"]);
      await until(watched, "the second", () => watched.services()?.join() === "a,b");
      await store.spoil("b");
      await until(watched, "the mistake", () => !watched.provider.current().fresh);
      expect(watched.problems().join("\n")).toContain(store.placeOf("b"));
      expect(watched.problems().join("\n")).not.toContain(store.placeOf("a"));
      expect(watched.services()).toEqual(["a", "b"]);
    });

    parts("sees the last one go", async (store, watched) => {
      await store.remove("a");
      await until(watched, "the last to go", () => watched.services()?.length === 0);
      expect(watched.problems()).toEqual([]);
    });

    parts("one that is wrong costs itself alone, and is named", async (store, watched) => {
      await store.put("b", ["b"]);
      await store.spoil("new");
      await until(watched, "the mistake", () => watched.problems().length > 0);
      await until(watched, "the good ones", () => watched.services()?.join() === "a,b");
      const said = () => watched.problems().join("\n");
      expect(said()).toContain(store.placeOf("new"));
      expect(said()).not.toContain(store.placeOf("b"));
      await store.spoil("a");
      await until(watched, "the second mistake", () => said().includes(store.placeOf("a")));
      expect(watched.services()).toEqual(["a", "b"]);
      await store.put("b", ["other"]);
      await until(watched, "the change beside it", () => watched.services()?.join() === "a,other");
      await store.remove("new");
      await until(watched, "the end of the first mistake", () => !said().includes(store.placeOf("new")));
    });

    parts("does not take it for empty when its store comes back with nothing in it", async (store, watched) => {
      if (store.showEmpty === undefined) return;
      await store.hide();
      await until(watched, "the failure", () => !watched.provider.current().fresh);
      await store.showEmpty();
      await until(watched, "the loss", () => watched.problems().join().includes("[provider-emptied]"));
      expect(watched.services()).toEqual(["a"]);
      await store.put("b", ["b"]);
      await until(watched, "the new one", () => watched.services()?.join() === "b");
      expect(watched.problems()).toEqual([]);
    });
  });
}
