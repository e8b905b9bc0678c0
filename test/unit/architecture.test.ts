// The rooms of src/ know each other only in the directions that docs/architecture.md has: configuration, rules, TLS, upstream and wire
// know neither master nor worker, and Bun's sockets are touched in one room.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/**
 * What each room may import from the others; what stands behind `types` only as types, which are gone when the program runs. Of a room
 * that is written with a file, that file alone. A new arrow is a decision: it belongs here and, if it is a new room, in the table.
 */
const KNOWS: Readonly<Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>> = {
  text: { values: [] },
  system: { values: ["ip"] },
  ip: { values: [] },
  admission: { values: ["ip"] },
  wire: { values: ["ip", "text"] },
  // What is no MQTT is named by how other protocols begin.
  mqtt: { values: ["text", "wire"] },
  asn1: { values: [] },
  net: { values: [] },
  upstream: { values: ["admission/line.ts"], types: ["mqtt"] },
  // How servers are: asked by the master, and by who wants to know it now.
  health: { values: ["ip", "mqtt", "net", "upstream", "wire"], types: ["protocol"] },
  admin: { values: [] },
  rules: { values: ["ip", "mqtt/text.ts", "mqtt/version.ts", "text"] },
  // What may not be printed of PEM is said where PEM is read.
  config: {
    values: ["certs/pem-blocks.ts", "ip", "mqtt/password-hash.ts", "mqtt/version.ts", "rules/lexer.ts", "text"],
  },
  middlewares: { values: ["admission", "certs", "ip", "mqtt", "text"] },
  providers: { values: ["config", "net/client-socket.ts", "rules", "system", "text"] },
  broker: { values: [] },
  keystores: { values: ["asn1"] },
  certs: { values: ["asn1", "keystores", "system", "text"], types: ["config"] },
  authority: { values: ["asn1", "certs", "keystores", "system", "text"] },
  fleet: { values: ["authority", "certs", "keystores", "system", "text"] },
  // ThingsBoard's and Tempus's variables.
  keygen: { values: ["authority", "certs", "keystores", "text"] },
  acme: { values: ["asn1", "certs", "system"], types: ["config"] },
  tls: { values: ["asn1", "certs", "text", "wire"], types: ["config", "net"] },
  // A server as its clients see it.
  survey: { values: ["asn1", "certs", "net", "tls", "wire"] },
  // It shows what the others have, and asks nothing of them.
  observe: {
    values: ["system", "text"],
    types: ["acme", "certs", "compile", "config", "health", "middlewares", "net", "proxy", "upstream"],
  },
  // What master and workers say to each other: plain data.
  protocol: { values: [], types: ["admission", "certs", "middlewares", "net", "observe", "rules", "tls", "upstream"] },
  proxy: {
    values: [
      "admission",
      "certs/client-identity.ts",
      "ip",
      "middlewares",
      "mqtt",
      "net",
      "observe",
      "protocol",
      "rules",
      "system",
      "text",
      "tls",
      "upstream",
      "wire",
    ],
    types: ["certs"],
  },
  compile: {
    values: [
      "acme",
      "authority",
      "certs",
      "config",
      "ip",
      "middlewares",
      "mqtt",
      "protocol",
      "rules",
      "text",
      "tls",
      "upstream",
      "version.ts",
    ],
    types: ["providers"],
  },
  // What operators see and do, as HTTP: it asks the master, which it knows as an interface of its own.
  api: {
    values: [
      "admission/keys.ts",
      "certs/pem.ts",
      "config",
      "explain",
      "ip",
      "mqtt/password-hash.ts",
      "protocol/looking.ts",
      "system",
    ],
    types: ["acme", "admin", "compile", "health", "observe", "protocol", "upstream"],
  },
  // Its page runs in a browser: it asks the API, and has what needs no Sluice around it.
  dashboard: { values: ["observe/routine-ends.ts", "text/quantities.ts"], types: ["admin"] },
  control: {
    values: [
      "acme",
      "admin",
      "api",
      "admission",
      "authority",
      "certs",
      "compile",
      "config",
      "dashboard",
      "health",
      "ip",
      "net",
      "observe",
      "protocol",
      "providers",
      "system",
      "tls",
      "upstream",
      "version.ts",
    ],
    types: ["broker"],
  },
  explain: {
    values: ["certs", "config", "ip", "middlewares", "mqtt", "proxy", "rules", "text", "tls", "upstream", "wire"],
    types: ["compile", "protocol"],
  },
  cli: {
    values: [
      ...[
        "acme",
        "authority",
        "certs",
        "compile",
        "config",
        "control",
        "explain",
        "fleet",
        "health",
        "keygen",
        "keystores",
        "observe",
        "providers",
        "survey",
        "system",
        "text",
        "tls",
      ],
      "version.ts",
    ],
  },
  // A worker and the broker load nothing of the master's.
  "main.ts": { values: ["broker", "cli", "proxy", "system"] },
  "version.ts": { values: [] },
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const IMPORT = /^(?:import|export) (type )?(?:[^;"]*? from )?"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm;

function sources(): string[] {
  return readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, "src", file), "utf8");
  return [...text.matchAll(IMPORT)].map(([, type, named, loaded]) => ({
    from: file,
    to: posix.join(dirname(file), (named ?? loaded)!),
    isType: type !== undefined,
  }));
}

const roomOf = (file: string): string => file.split("/")[0]!;

const imports = sources()
  .flatMap(importsOf)
  .filter(({ from, to }) => roomOf(from) !== roomOf(to) && !to.startsWith(".."));

const isIn = (list: readonly string[], file: string): boolean => list.includes(file) || list.includes(roomOf(file));

describe("rooms know each other only in the directions of the table", () => {
  for (const room of new Set(sources().map(roomOf)))
    test(room, () => {
      const known = KNOWS[room];
      expect(known).toBeDefined();
      const { values, types = [] } = known!;
      const unwanted = imports.filter(
        ({ from, to, isType }) => roomOf(from) === room && !isIn(values, to) && !(isType && isIn(types, to)),
      );
      expect(unwanted).toEqual([]);
    });
});

test("no arrow of the table is there for nothing", () => {
  const used = (room: string, to: string, typesOnly: boolean) =>
    imports.some((each) => roomOf(each.from) === room && isIn([to], each.to) && (typesOnly || !each.isType));
  const unused = Object.entries(KNOWS).flatMap(([room, { values, types = [] }]) => [
    ...values.filter((to) => !used(room, to, false)).map((to) => `${room} -> ${to}`),
    ...types.filter((to) => !used(room, to, true)).map((to) => `${room} -> ${to} (types)`),
  ]);
  expect(unused).toEqual([]);
});

test("no two rooms need each other when the program runs", () => {
  const rooms = new Map<string, Set<string>>();
  for (const { from, to, isType } of imports)
    if (!isType) rooms.set(roomOf(from), (rooms.get(roomOf(from)) ?? new Set()).add(roomOf(to)));
  const reaches = (from: string, wanted: string, seen = new Set<string>()): boolean =>
    [...(rooms.get(from) ?? [])].some((next) => {
      if (next === wanted) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, wanted, seen);
    });
  expect([...rooms.keys()].filter((room) => reaches(room, room))).toEqual([]);
});

test("no files need each other in a circle, types included", () => {
  const knows = new Map<string, string[]>();
  for (const { from, to } of sources().flatMap(importsOf)) knows.set(from, [...(knows.get(from) ?? []), to]);
  const reaches = (from: string): boolean => {
    const seen = new Set<string>();
    const left = [...(knows.get(from) ?? [])];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (next === from) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      left.push(...(knows.get(next) ?? []));
    }
    return false;
  };
  expect([...knows.keys()].filter(reaches)).toEqual([]);
});

test("commands that only look at a configuration know no master", () => {
  const knows = new Map<string, string[]>();
  for (const { from, to, isType } of sources().flatMap(importsOf))
    if (!isType) knows.set(from, [...(knows.get(from) ?? []), to]);
  const seen = new Set<string>();
  const left = ["cli/check.ts", "cli/explain.ts", "cli/certs-list.ts"];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    left.push(...(knows.get(next) ?? []));
  }
  expect([...seen].filter((file) => roomOf(file) === "control")).toEqual([]);
});

test("only src/net/ opens sockets, beside the embedded broker and the admin side", () => {
  const opens =
    /\bBun\.(connect|listen|udpSocket)\b|\{[^{}]*\b(connect|createServer|createConnection)\b[^{}]*\} from "node:(net|tls)"/;
  const opening = sources().filter((file) => opens.test(readFileSync(join(ROOT, "src", file), "utf8")));
  expect(new Set(opening.map(roomOf))).toEqual(new Set(["admin", "broker", "net"]));
});

test("docs/architecture.md has every room, and no other", () => {
  const page = readFileSync(join(ROOT, "docs/architecture.md"), "utf8");
  const listed = [...page.matchAll(/^\| `src\/([\w.]+)\/?` \|/gm)].map((match) => match[1]!);
  expect(listed.sort()).toEqual([...new Set(sources().map(roomOf))].sort());
});

/** What is loaded with these files, before anything is asked for: files, and libraries with the file that imports them. */
function loadedWith(starts: readonly string[]): { files: ReadonlySet<string>; libraries: readonly string[] } {
  const STATIC = /^(?:import|export) (?!type )(?:[^;"]*? from )?"([^"]+)"/gm;
  const files = new Set<string>();
  const libraries: string[] = [];
  const left = [...starts];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (files.has(next)) continue;
    files.add(next);
    for (const [, name] of readFileSync(join(ROOT, "src", next), "utf8").matchAll(STATIC)) {
      if (name!.startsWith(".")) left.push(posix.join(dirname(next), name!));
      else if (!/^(node|bun):/.test(name!)) libraries.push(`${name} by ${next}`);
    }
  }
  return { files, libraries };
}

test("what only some commands write with is not loaded by a proxy that runs: libraries for stores, requests and certificates", () => {
  const running = sources().filter((file) => /^(?:proxy|control)\//.test(file));
  const { files, libraries } = loadedWith(["main.ts", "cli/run.ts", "cli/program.ts", ...running]);
  expect(files.size).toBeGreaterThan(100);
  expect(libraries.filter((each) => /^(node-forge|asn1js|@peculiar\/)/.test(each))).toEqual([]);
});

test("a worker loads no library, and nothing that reads configurations", () => {
  const { files, libraries } = loadedWith(["main.ts", "proxy/worker.ts"]);
  expect(files.size).toBeGreaterThan(100);
  expect(libraries).toEqual([]);
  const FOREIGN = ["acme", "authority", "cli", "compile", "config", "control", "fleet", "providers"];
  expect([...files].filter((file) => FOREIGN.includes(roomOf(file)))).toEqual([]);
});

test("a master loads the libraries that read a configuration, and no others before they are needed", () => {
  const { files, libraries } = loadedWith(["main.ts", "cli/program.ts", "cli/run.ts"]);
  expect(new Set(libraries.map((each) => each.split(" ")[0]!))).toEqual(new Set(["commander", "js-yaml", "zod"]));
  // The names of things alone may be known: commands list them in their help.
  const LATER = /^(acme|authority|broker|fleet|keygen|survey)\/(?!facts|names|development-files)/;
  expect([...files].filter((file) => LATER.test(file))).toEqual([]);
});
