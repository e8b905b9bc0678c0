// A password file becomes parts that go to the workers; what is wrong with it is said in its place, and opens no door.

import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateFiles } from "../../../src/certs/files.ts";
import { CertificateMemory } from "../../../src/certs/memory.ts";
import { diff } from "../../../src/protocol/diff.ts";
import { temporaryDirectory } from "../../support/tools.ts";
import { compileTexts, type Snapshot } from "./snapshots.ts";

const HASH =
  "$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==";

function world(text: string | null) {
  const file = join(temporaryDirectory(), "passwords");
  const memory = new CertificateMemory();
  const write = (content: string) => writeFileSync(file, content);
  if (text !== null) write(text);
  const load = (more = ""): Snapshot & { files: CertificateFiles } => {
    const files = new CertificateFiles(memory);
    const snapshot = compileTexts(
      `tcp:
  middlewares: { auth: { mqttAuth: { passwordFile: ${file} } } ${more} }
  routers: { r: { rule: 'HostSNI(\`*\`)', service: s, middlewares: [auth] } }
  services: { s: { loadBalancer: { servers: [{ port: 1884 }] } } }`,
      { files },
    );
    files.finish();
    return { ...snapshot, files };
  };
  return { file, write, load, remove: () => rmSync(file) };
}

const action = ({ router }: Snapshot) => router("r")!.action.kind;
const usersOf = ({ of }: Snapshot): string[] =>
  of("part")
    .flatMap(({ value }) => value.text.split("\n").filter(Boolean))
    .map((line) => line.split(":")[0]!)
    .sort();

describe("a password file", () => {
  test("goes to the workers in parts that the middleware names", () => {
    const { file, load } = world(`anna:${HASH}\nb0b:${HASH}\n`);
    const loaded = load();
    expect(loaded.problems).toEqual([]);
    expect(action(loaded)).toBe("plain");
    expect(usersOf(loaded)).toEqual(["anna", "b0b"]);
    const [row] = loaded.of("middleware");
    expect(row!.value).toMatchObject({
      ...{
        kind: "mqttAuth",
        allowAnonymous: false,
        certificateIsEnough: false,
        stripPassword: false,
        strictCodes: false,
      },
      users: { count: 2, parts: loaded.of("part").map(({ name }) => name) },
    });
    expect(loaded.files.paths.has(file)).toBe(true);
  });

  test("that is not there or has too many users turns its routers off, and is watched for", () => {
    for (const { load, file } of [world(null), world(tooMany())]) {
      const loaded = load();
      expect(action(loaded)).toBe("off");
      expect(loaded.of("part")).toEqual([]);
      expect(loaded.problems[0]).toContain('the middleware "auth" is off: ');
      expect(loaded.problems[0]).toContain(file);
      expect(loaded.files.failures).toMatchObject([{ source: file }]);
      // Others' configuration is not held up by it.
      expect([...loaded.files.brokenFor]).toEqual([]);
      expect(loaded.files.paths.has(file)).toBe(true);
    }
  });

  test("that vanishes or cannot be used any more leaves its users in force, and says so each time", () => {
    const { load, remove, write } = world(`anna:${HASH}`);
    load();
    for (const spoil of [remove, () => write("\0binary"), () => write(tooMany())]) {
      spoil();
      const loaded = load();
      expect(action(loaded)).toBe("plain");
      expect(usersOf(loaded)).toEqual(["anna"]);
      expect(loaded.problems.join("\n")).toContain("the former one goes on serving");
      expect(loaded.files.failures.length).toBe(1);
    }
    write(`b0b:${HASH}`);
    expect(usersOf(load())).toEqual(["b0b"]);
  });

  test("that is emptied lets nobody in, and says so", () => {
    const { load, write } = world(`anna:${HASH}`);
    load();
    write("");
    const loaded = load();
    expect(action(loaded)).toBe("plain");
    expect(usersOf(loaded)).toEqual([]);
    expect(loaded.problems).toEqual([expect.stringContaining("nobody comes in by a password")]);
  });

  test("has its bad lines told at their places, once for all who use it, and the others counted", () => {
    const { file, load } = world(`anna:${HASH}\nb0b:secret\n${"x:y\n".repeat(30)}`);
    const loaded = load(`, again: { mqttAuth: { passwordFile: ${file} } }`);
    const problems = loaded.problems.filter((each) => each.includes(file));
    expect(problems[0]).toBe(
      `${file}:2:1: the user "b0b" is refused: its password is not hashed, or damaged: hash it with mosquitto_passwd`,
    );
    expect(problems.length).toBe(21);
    expect(problems.at(-1)).toContain("11 more lines cannot be used");
    expect(loaded.problems.join("\n")).not.toContain("secret");
    expect(action(loaded)).toBe("plain");
    expect(usersOf(loaded)).toEqual(["anna"]);
  });

  test("of 50 000 users costs a reload the parts that have changed", () => {
    const lines = Array.from({ length: 50_000 }, (_, at) => `user-${at}:${HASH}`);
    const { load, write } = world(lines.join("\n"));
    const before = load().compiled.rows;
    expect(diff(before, load().compiled.rows)).toEqual([]);
    write(lines.with(4321, `user-4321:${HASH.replace("101", "102")}`).join("\n"));
    const parts = diff(before, load().compiled.rows);
    expect(parts.flatMap(({ put }) => put.map(({ kind }) => kind)).sort()).toEqual(["middleware", "part"]);
    expect(parts.flatMap(({ drop }) => drop).length).toBe(1);
    for (const { put } of diff(new Map(), before)) expect(JSON.stringify(put).length).toBeLessThan(400_000);
  });
});

function tooMany(): string {
  return Array.from({ length: 100_001 }, (_, at) => `${at}:x\n`).join("");
}
