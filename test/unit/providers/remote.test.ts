// The life of a provider whose store can be away, with a store in memory: what each provider's own test holds for the real one.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDiagnostic } from "../../../src/config/diagnostics.ts";
import type { Content, Engine, Entry } from "../../../src/providers/engine.ts";
import { BackOff, pause } from "../../../src/providers/pause.ts";
import { RemoteProvider } from "../../../src/providers/remote.ts";
import { providerSuite, type Store } from "../../support/provider-suite.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

/** A store that tells its watchers of changes, and cannot be reached while it is hidden. */
class Memory {
  readonly values = new Map<string, string>();
  isHidden = false;
  reads = 0;
  /** What watching fails with, though reading works. */
  noWatch: string | null = null;
  readonly #watchers = new Set<{ changed(): void; end(error: Error): void }>();

  get watchers(): number {
    return this.#watchers.size;
  }

  change(values: Readonly<Record<string, string | null>>): void {
    for (const [key, value] of Object.entries(values))
      if (value === null) this.values.delete(key);
      else this.values.set(key, value);
    for (const each of this.#watchers) each.changed();
  }

  hide(): void {
    this.isHidden = true;
    for (const each of [...this.#watchers]) each.end(new Error("the connection broke"));
  }

  content(): Content {
    return [...this.values].sort().map(([path, value]): Entry => ({ path, value, place: `memory root/${path}` }));
  }

  engine(): Engine {
    return {
      name: "memory",
      place: "memory",
      read: async () => {
        this.reads++;
        if (this.isHidden) throw new Error("nobody is there");
        return { content: this.content() };
      },
      watch: (changed, signal) => {
        if (this.isHidden || this.noWatch !== null) return Promise.reject(new Error(this.noWatch ?? "nobody is there"));
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const watcher = { changed, end: reject };
        this.#watchers.add(watcher);
        changed();
        signal.addEventListener("abort", () => resolve());
        return promise.finally(() => this.#watchers.delete(watcher));
      },
      close: async () => {},
    };
  }

  provider(cache: string | null = null, onBack?: (name: string, awayMs: number) => void): RemoteProvider {
    const options = { entryPoints: new Set(["mqtts"]), cache, once: false, backOff: new BackOff(10) };
    return new RemoteProvider(this.engine(), { ...options, ...(onBack !== undefined && { onBack }) });
  }
}

const service = (name: string) => `tcp/services/${name}/loadBalancer/servers/0/address`;

function memoryStore(): Store {
  const memory = new Memory();
  const names = new Map<string, string>();
  return {
    kind: "parts",
    several: true,
    provider: (cache) => memory.provider(cache ?? null),
    put: async (entry, [name]) => {
      const former = names.get(entry);
      names.set(entry, name!);
      memory.change({
        ...(former !== undefined && { [service(former)]: null, [`tcp/services/${former}/oops`]: null }),
        [service(name!)]: "127.0.0.1:1883",
      });
    },
    spoil: async (entry) => memory.change({ [`tcp/services/${names.get(entry) ?? entry}/oops`]: "1" }),
    remove: async (entry) => {
      const name = names.get(entry) ?? entry;
      memory.change({ [service(name)]: null, [`tcp/services/${name}/oops`]: null });
    },
    hide: async () => memory.hide(),
    show: async () => {
      memory.isHidden = false;
    },
    showEmpty: async () => {
      memory.values.clear();
      names.clear();
      memory.isHidden = false;
    },
    placeOf: (entry) => `memory root/tcp/services/${names.get(entry) ?? entry}/`,
    left: async () => (memory.watchers > 0 ? ["a watch"] : []),
  };
}

providerSuite("a store with a key for each value", async () => memoryStore());

async function started(provider: RemoteProvider) {
  let calls = 0;
  await provider.start(() => void calls++);
  return {
    calls: () => calls,
    services: () => provider.current().offer?.flatMap(({ value }) => Object.keys(value.tcp.services)) ?? null,
    problems: () => provider.current().diagnostics.list.map(formatDiagnostic),
  };
}

describe("what changes together is seen together", () => {
  test("a reading during which something changed is not offered", async () => {
    const memory = new Memory();
    memory.change({ [service("a")]: "127.0.0.1:1" });
    const engine = memory.engine();
    let between: (() => void) | null = null;
    const read = engine.read;
    engine.read = async (signal) => {
      const reading = await read(signal);
      between?.();
      between = null;
      return reading;
    };
    const provider = new RemoteProvider(engine, { entryPoints: new Set(), cache: null, once: false });
    const seen: string[] = [];
    await provider.start(() =>
      seen.push(
        provider
          .current()
          .offer!.flatMap(({ value }) => Object.keys(value.tcp.services))
          .join(),
      ),
    );
    between = () => memory.change({ [service("c")]: "127.0.0.1:1" });
    memory.change({ [service("b")]: "127.0.0.1:1" });
    await waitFor("both", () => seen.length > 0);
    expect(seen[0]).toBe("a,b,c");
    await provider.close();
  });
});

describe("a watch that does not work", () => {
  test("is told of, and what changes is read from time to time", async () => {
    const memory = new Memory();
    memory.change({ [service("a")]: "127.0.0.1:1" });
    memory.noWatch = "no right to watch";
    const provider = memory.provider();
    const { problems, services } = await started(provider);
    await waitFor("the warning", () => problems().join().includes("[provider-deaf]"));
    expect(problems().join()).toContain("no right to watch");
    memory.change({ [service("b")]: "127.0.0.1:1" });
    await waitFor("the change", () => services()?.join() === "a,b");
    expect(provider.state().isUp).toBe(true);
    await provider.close();
  });
});

describe("away", () => {
  test("an engine that hangs does not hold up a start, nor a close", async () => {
    const engine: Engine = {
      name: "memory",
      place: "memory",
      read: (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("ended")))),
      watch: (_, signal) => pause(60_000, signal),
      close: async () => {},
    };
    const provider = new RemoteProvider(engine, { entryPoints: new Set(), cache: null, once: false, startMs: 50 });
    await provider.start(() => {});
    expect(provider.current()).toMatchObject({ offer: null, fresh: false, remote: { isAway: true } });
    expect(provider.current().diagnostics.list.map(formatDiagnostic).join()).toContain("it has not answered yet");
    await provider.close();
  });

  test("says how long it was away", async () => {
    const memory = new Memory();
    memory.change({ [service("a")]: "127.0.0.1:1" });
    const back: number[] = [];
    const provider = memory.provider(null, (_, awayMs) => back.push(awayMs));
    await started(provider);
    expect(back).toEqual([]);
    memory.hide();
    await waitFor("the failure", () => !provider.state().isUp);
    memory.isHidden = false;
    await waitFor("the return", () => back.length === 1);
    await provider.close();
  });

  test("nothing in a store that came back is meant when somebody asks by hand", async () => {
    const memory = new Memory();
    memory.change({ [service("a")]: "127.0.0.1:1" });
    const provider = memory.provider();
    const { services, problems } = await started(provider);
    memory.hide();
    await waitFor("the failure", () => !provider.state().isUp);
    memory.values.clear();
    memory.isHidden = false;
    await waitFor("the loss", () => problems().join().includes("[provider-emptied]"));
    expect(services()).toEqual(["a"]);
    await provider.refresh();
    await waitFor("nothing", () => services()?.length === 0);
    expect(problems()).toEqual([]);
    await provider.close();
  });

  test("a pause grows up to half a minute, by chance a quarter more or less", () => {
    const least = new BackOff(1000, () => 0);
    const most = new BackOff(1000, () => 1);
    expect([1, 2, 3, 4, 5, 6, 7].map(() => least.next())).toEqual([750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
    expect([1, 2].map(() => most.next())).toEqual([1250, 2500]);
    most.reset();
    expect(most.next()).toBe(1250);
  });
});

describe("the cache", () => {
  test("of another store, or broken, is none", async () => {
    const cache = temporaryDirectory();
    const memory = new Memory();
    memory.change({ [service("a")]: "127.0.0.1:1" });
    const first = memory.provider(cache);
    await started(first);
    await first.close();
    memory.isHidden = true;
    const file = join(cache, "memory.json");
    const text = readFileSync(file, "utf8");
    for (const [broken, said] of [
      [text.replace('"place":"memory"', '"place":"another"'), "the cache has nothing"],
      [text.slice(0, -5), "[cache-unusable]"],
      ["[]", "[cache-unusable]"],
    ] as const) {
      writeFileSync(file, broken);
      const provider = memory.provider(cache);
      const { services, problems } = await started(provider);
      expect(services()).toBeNull();
      expect(problems().join()).toContain(said);
      await provider.close();
    }
  });

  test("that cannot be written is told of", async () => {
    const memory = new Memory();
    memory.change({ [service("a")]: "127.0.0.1:1" });
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    const provider = memory.provider(file);
    const { problems } = await started(provider);
    await waitFor("the warning", () => problems().join().includes("[cache-unusable]"));
    await provider.close();
  });
});
