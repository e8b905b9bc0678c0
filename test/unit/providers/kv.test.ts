// Files as a store would hold them, and back: every field keeps its meaning, and an import changes what it says and no more.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { fieldsOf, isRequired, within } from "../../../scripts/generate/fields.ts";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { dynamicSchema, parseDynamic } from "../../../src/config/dynamic.ts";
import { unwrap } from "../../../src/config/field.ts";
import type { Entry } from "../../../src/providers/engine.ts";
import { readFiles } from "../../../src/providers/kv/files.ts";
import { planImport } from "../../../src/providers/kv/plan.ts";
import { toYaml } from "../../../src/providers/kv/to-yaml.ts";
import { type StoreWriter, type Write, writeAll } from "../../../src/providers/kv/writer.ts";
import { RemoteContent } from "../../../src/providers/remote-content.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const ENTRY_POINTS = new Set(["mqtts", "mqtt"]);
const directory = temporaryDirectory();
let files = 0;

function entriesOf(...texts: readonly string[]): { entries: readonly Entry[] | null; problems: string[] } {
  const paths = texts.map((text) => {
    const path = join(directory, `${++files}.yml`);
    writeFileSync(path, text);
    return path;
  });
  const diagnostics = new Diagnostics();
  const entries = readFiles(paths, ENTRY_POINTS, diagnostics);
  return { entries, problems: diagnostics.list.map(formatDiagnostic) };
}

const keysOf = (entries: readonly Entry[] | null) =>
  Object.fromEntries((entries ?? []).map(({ path, value }) => [path, value]));
const entry = (path: string, value: string): Entry => ({ path, value, place: `etcd sluice/${path}` });

/** The value of a file, without what is not set. */
function meaningOf(text: string): unknown {
  const diagnostics = new Diagnostics();
  const file = parseDynamic("x.yml", text, diagnostics);
  if (file === null) throw new Error(`${text}: ${diagnostics.list.map(formatDiagnostic).join("\n")}`);
  return JSON.parse(JSON.stringify(file.value));
}

/** A field with its example, and all else as it must be. */
function fileWith(schema: z.ZodObject, path: readonly string[], value: string): string {
  const fields = new Map<string, string>();
  for (const [name, child] of Object.entries(schema.shape as Record<string, z.ZodType>)) {
    const known = unwrap(child).meta.example;
    const needed = isRequired(child) || unwrap(schema).meta.oneOf?.[0] === name;
    if (needed && known !== undefined) fields.set(name, JSON.stringify(known));
  }
  const [name, ...rest] = path as [string, ...string[]];
  const key = name.replace("[]", "");
  const child = schema.shape[key] as z.ZodType;
  if (rest.length === 0) fields.set(key, value);
  else {
    const { object, through } = within(child)!;
    const inner = fileWith(object, through === "<name>" ? rest.slice(1) : rest, value);
    // A router without a rule would be refused for that alone.
    const part =
      through === "<name>" && key === "routers" ? `{ rule: "HostSNI(\`*\`)", service: s, ${inner.slice(1)}` : inner;
    fields.set(key, through === "[]" ? `[${part}]` : through === "<name>" ? `{ n: ${part} }` : part);
  }
  return `{ ${[...fields].map(([each, text]) => `${each}: ${text}`).join(", ")} }`;
}

describe("a file, a store and a file again", () => {
  test("every field of the configuration means the same in all three", () => {
    let compared = 0;
    const wrong: string[] = [];
    for (const { path, schema, meta } of fieldsOf(dynamicSchema)) {
      if (meta.unsupported !== undefined || meta.elsewhere !== undefined || path.split(".").length < 3) continue;
      const inside = within(schema) !== null;
      if (!inside && meta.example === undefined) continue;
      const values = inside ? (meta.allowEmpty ? ["{}", "true"] : []) : [JSON.stringify(meta.example)];
      for (const value of values) {
        const text = fileWith(dynamicSchema, path.split("."), value);
        const diagnostics = new Diagnostics();
        if (parseDynamic("x.yml", text, diagnostics) === null) continue;
        compared++;
        const { entries, problems } = entriesOf(text);
        if (entries === null) {
          wrong.push(`${text}: ${problems.join()}`);
          continue;
        }
        const back = toYaml(entries, "etcd", new Diagnostics());
        if (!Bun.deepEquals(meaningOf(back), meaningOf(text))) wrong.push(`${text}\n${back}`);
        if (planImport(entriesOf(back).entries!, entries, true).changes.length > 0) wrong.push(`changes: ${back}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(150);
  });

  test("keys are Traefik's, anchors are unfolded, and lists of several files go on", () => {
    const { entries, problems } = entriesOf(
      `
tcp:
  routers:
    a: &a { rule: "HostSNI(\`a.example\`)", entryPoints: [mqtts, mqtt], service: s, tls: {} }
    b: { <<: *a, RULE: "HostSNI(\`b.example\`)", tls: { passthrough: true } }
  services: { s: { loadBalancer: { servers: [{ address: "h:1" }, { address: "h:2" }] } } }
tls: { certificates: [{ certFile: a.crt, keyFile: a.key }] }
`,
      "tcp: { serversTransports: { t: {} } }\ntls: { certificates: [{ certFile: b.crt, keyFile: b.key }], options: { o: {} } }\n",
    );
    expect(problems).toEqual([]);
    expect(keysOf(entries)).toEqual({
      "tcp/routers/a/rule": "HostSNI(`a.example`)",
      "tcp/routers/a/entryPoints/0": "mqtts",
      "tcp/routers/a/entryPoints/1": "mqtt",
      "tcp/routers/a/service": "s",
      "tcp/routers/a/tls": "true",
      "tcp/routers/b/rule": "HostSNI(`b.example`)",
      "tcp/routers/b/tls/passthrough": "true",
      "tcp/routers/b/entryPoints/0": "mqtts",
      "tcp/routers/b/entryPoints/1": "mqtt",
      "tcp/routers/b/service": "s",
      "tcp/services/s/loadBalancer/servers/0/address": "h:1",
      "tcp/services/s/loadBalancer/servers/1/address": "h:2",
      "tls/certificates/0/certFile": "a.crt",
      "tls/certificates/0/keyFile": "a.key",
      "tcp/serversTransports/t": "true",
      "tls/certificates/1/certFile": "b.crt",
      "tls/certificates/1/keyFile": "b.key",
      "tls/options/o/sniStrict": "false",
    });
  });

  test("text of several lines stays as it is", () => {
    const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const text = `tls: { certificates: [{ certFile: ${JSON.stringify(pem)}, keyFile: k.pem }] }\n`;
    const { entries } = entriesOf(text);
    expect(keysOf(entries)["tls/certificates/0/certFile"]).toBe(pem);
    expect(meaningOf(toYaml(entries!, "etcd", new Diagnostics()))).toEqual(meaningOf(text));
  });

  test("a mistake in a file, and a name that no store can hold, are refused with their places", () => {
    const wrong = entriesOf("tcp: { services: { s: { loadBalancr: {} } } }\n");
    expect(wrong.entries).toBeNull();
    expect(wrong.problems.join()).toContain("loadBalancr");
    const slash = entriesOf("tcp:\n  services: { 'a/b': { loadBalancer: {} } }\n");
    expect(slash.entries).toBeNull();
    expect(slash.problems.join()).toContain('"a/b" cannot be a name in a store');
    const nowhere = entriesOf(
      'tcp: { routers: { r: { rule: "HostSNI(`*`)", service: s, entryPoints: [elsewhere] } } }\n',
    );
    expect(nowhere.entries).toBeNull();
    expect(nowhere.problems.join()).toContain("elsewhere");
  });
});

describe("an import", () => {
  const changesOf = (wanted: readonly Entry[], there: readonly Entry[], prunes = false) => {
    const { changes, kept } = planImport(wanted, there, prunes);
    return { changes: changes.map(({ path, before, after }) => [path, before, after]), kept };
  };
  const there = [
    entry("tcp/routers/r/rule", "old"),
    entry("tcp/routers/r/entrypoints/0", "mqtts"),
    entry("tcp/routers/r/entrypoints/1", "mqtt"),
    entry("tcp/routers/other/rule", "theirs"),
    entry("http/routers/web/rule", "not ours"),
  ];

  test("replaces what it names as a whole, and leaves the rest alone", () => {
    const wanted = [entry("tcp/routers/r/rule", "new"), entry("tcp/routers/r/entryPoints/0", "mqtts")];
    expect(changesOf(wanted, there)).toEqual({
      changes: [
        ["tcp/routers/r/rule", "old", "new"],
        ["tcp/routers/r/entrypoints/1", "mqtt", null],
      ],
      kept: ["tcp.routers.other"],
    });
  });

  test("removes what only the store has when it is asked to, and never what is not Sluice's", () => {
    const { changes, kept } = changesOf([], there, true);
    expect(changes.map(([path]) => path).sort()).toEqual([
      "tcp/routers/other/rule",
      "tcp/routers/r/entrypoints/0",
      "tcp/routers/r/entrypoints/1",
      "tcp/routers/r/rule",
    ]);
    expect(kept).toEqual([]);
  });

  test("knows certificates by their content, and puts new ones where none is", () => {
    const certificate = (index: number, name: string) => [
      entry(`tls/certificates/${index}/certFile`, `${name}.crt`),
      entry(`tls/certificates/${index}/keyFile`, `${name}.key`),
    ];
    const stored = [...certificate(0, "theirs"), ...certificate(4, "a")];
    const wanted = [...certificate(0, "a"), ...certificate(1, "b")];
    expect(changesOf(wanted, stored)).toEqual({
      changes: [
        ["tls/certificates/1/certFile", null, "b.crt"],
        ["tls/certificates/1/keyFile", null, "b.key"],
      ],
      kept: ["tls.certificates.0"],
    });
  });

  test("writes services before the routers that name them, and removes them after", () => {
    const wanted = [entry("tcp/routers/n/rule", "1"), entry("tcp/services/n/loadBalancer", "true")];
    const old = [entry("tcp/services/o/loadBalancer", "true"), entry("tcp/routers/o/rule", "1")];
    expect(changesOf(wanted, old, true).changes.map(([path]) => path)).toEqual([
      "tcp/services/n/loadBalancer",
      "tcp/routers/n/rule",
      "tcp/routers/o/rule",
      "tcp/services/o/loadBalancer",
    ]);
  });

  /** A store with room for two keys in a transaction, that breaks off before one of them. */
  class Small implements StoreWriter {
    readonly keys = new Map<string, string>();
    /** How it looked after each transaction. */
    readonly seen: string[][] = [];
    left = Number.POSITIVE_INFINITY;
    async read() {
      return [...this.keys].map(([path, value]) => entry(path, value));
    }
    fitting(writes: readonly Write[]) {
      return Math.min(writes.length, 2);
    }
    async write(writes: readonly Write[], unless?: string) {
      if (this.left-- === 0) throw new Error("killed");
      if (unless !== undefined && this.keys.has(unless)) throw new Error("another import");
      for (const { path, value } of writes)
        if (value === null) this.keys.delete(path);
        else this.keys.set(path, value);
      this.seen.push([...this.keys.keys()]);
    }
    async close() {}
  }
  const writes = ["a", "b", "c", "d", "e"].map((path) => ({ path, value: "1" }));

  test("that does not fit into one transaction stands behind a mark from its first to its last", async () => {
    const store = new Small();
    await writeAll(store, writes, false);
    expect(store.seen.slice(0, -1).every((keys) => keys.includes("import"))).toBe(true);
    expect(store.seen.at(-1)).toEqual(["a", "b", "c", "d", "e"]);
    const one = new Small();
    await writeAll(one, writes.slice(0, 2), false);
    expect(one.seen).toEqual([["a", "b"]]);
  });

  test("that was killed keeps its mark, keeps others out, and is completed", async () => {
    const store = new Small();
    store.left = 2;
    await expect(writeAll(store, writes, false)).rejects.toThrow("killed");
    expect(store.keys.has("import")).toBe(true);
    store.left = Number.POSITIVE_INFINITY;
    await expect(writeAll(store, writes, false)).rejects.toThrow("another import");
    await writeAll(store, writes.slice(2), true);
    expect([...store.keys.keys()].sort()).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("that is not finished is not taken by a reader, which goes on with what it had and says so", () => {
    const reader = new RemoteContent({ name: "etcd", place: "etcd h:1" }, ENTRY_POINTS, null, false);
    const service = (name: string) => entry(`tcp/services/${name}/loadbalancer/servers/0/address`, "h:1");
    const names = () => reader.offer?.flatMap(({ value }) => Object.keys(value.tcp.services));
    reader.take({ content: [service("a")] });
    reader.take({ content: [entry("import", "2026-01-01T00:00:00.000Z"), service("half")] });
    expect([reader.isSound, names()]).toEqual([false, ["a"]]);
    expect(reader.diagnostics.list.map(formatDiagnostic).join()).toContain("[import-unfinished]");
    reader.take({ content: [service("half"), service("whole")] });
    expect([reader.isSound, names()]).toEqual([true, ["half", "whole"]]);
    expect(reader.diagnostics.list).toEqual([]);
  });
});
