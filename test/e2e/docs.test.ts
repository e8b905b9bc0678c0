// The documentation is true: its links lead somewhere, its examples pass `sluice check`, its commands exist, and every field, reason
// and metric of the source is in it.

import { describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parse } from "yaml";
import type { z } from "zod";
import { fieldsOf, within } from "../../scripts/generate/fields.ts";
import { metrics } from "../../scripts/generate/metrics.ts";
import { dynamicSchema } from "../../src/config/dynamic.ts";
import { unwrap } from "../../src/config/field.ts";
import { staticSchema } from "../../src/config/static-schema.ts";
import { HANDSHAKE_CAUSES } from "../../src/tls/handshake-failure.ts";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { readComposeLabels } from "../support/compose-labels.ts";
import { stepsOf } from "../support/guide.ts";
import { ROOT } from "../support/sluice.ts";
import { temporaryDirectory } from "../support/tools.ts";

const pagesIn = (directory: string) =>
  readdirSync(join(ROOT, directory))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${directory}/${name}`);
const PAGES = ["README.md", ...pagesIn("docs"), ...pagesIn("docs/reference")];
/** Their commands and files are tried in guides-whole.test.ts. */
const GUIDES = pagesIn("docs/guides");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;
const proseOf = (page: string) => read(page).replace(FENCE, "");

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of proseOf(page).matchAll(/^#+ (.+)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/ /g, "-");
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

describe("links", () => {
  for (const page of [...PAGES, ...GUIDES])
    test(`every relative link of ${page} leads to a file and a heading`, () => {
      const broken: string[] = [];
      const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
      for (const link of links.filter((each) => !/^[a-z]+:/.test(each))) {
        const [path, anchor] = link.split("#") as [string, string | undefined];
        const target = path === "" ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
        if (!existsSync(join(ROOT, target))) broken.push(`${link}: no such file`);
        else if (anchor !== undefined && !anchorsOf(target).has(anchor)) broken.push(`${link}: no such heading`);
      }
      expect(broken).toEqual([]);
    });

  test("every file that the pages name in `src/...`, `test/...` or `config/...` exists", () => {
    const missing: string[] = [];
    for (const page of PAGES)
      for (const [, path] of proseOf(page).matchAll(/`((?:src|test|config|dynamic)\/[\w./-]*)`/g))
        if (!existsSync(join(ROOT, path!))) missing.push(`${page}: ${path}`);
    expect(missing).toEqual([]);
  });
});

interface Example {
  readonly where: string;
  readonly kind: string;
  readonly text: string;
}

/** Every example of the pages, and those of the guides that are marked so. */
const examples: Example[] = [...PAGES, ...GUIDES].flatMap((page) => {
  const text = read(page);
  const found = [...text.matchAll(/(?:^<!-- check: (\w+) -->\n)?^```yaml\n([\s\S]*?)^```$/gm)].map((match) => ({
    where: `${page}:${text.slice(0, match.index).split("\n").length}`,
    kind: match[1] ?? "unmarked",
    text: match[2]!,
  }));
  return GUIDES.includes(page) ? found.filter(({ kind }) => kind !== "unmarked") : found;
});

// One certificate for every name of every example, good for long enough to give no warning.
const names = new Set(
  examples.flatMap(({ text }) => [...text.matchAll(/HostSNI\(`([^`]{2,})`\)/g)].map((match) => match[1]!)),
);
const authority = await Authority.create();
const pair = await authority.issue({
  names: [...names],
  subject: "/CN=example",
  notBefore: "20200101000000Z",
  notAfter: "21200101000000Z",
});

const list = join(temporaryDirectory(), "crl.pem");
writeFileSync(list, await authority.crl());
const passwords = join(temporaryDirectory(), "passwords");
writeFileSync(
  passwords,
  "anna:$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==\n",
);

/** Writes every file that a configuration names as certificate, key, authority or password file. */
function makeFiles(node: unknown, directory: string): void {
  if (typeof node !== "object" || node === null) return;
  const put = (path: string, from: string) => {
    const to = resolve(directory, path);
    if (!to.startsWith(directory)) throw new Error(`an example names ${path}, outside its working directory`);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, readFileSync(from));
  };
  const { certFile, keyFile, caFiles, rootCAs, certificateDirectories, passwordFile, crlFiles } = node as Record<
    string,
    never
  >;
  if (certFile !== undefined) {
    put(certFile, pair.cert);
    if (keyFile !== undefined) put(keyFile, pair.key);
    else appendFileSync(resolve(directory, certFile), readFileSync(pair.key));
  }
  if (passwordFile !== undefined) put(passwordFile, passwords);
  for (const path of [caFiles ?? [], rootCAs ?? []].flat()) put(path, authority.cert);
  for (const path of [crlFiles ?? []].flat()) put(path, list);
  for (const entry of [certificateDirectories ?? []].flat()) {
    const path = typeof entry === "string" ? entry : (entry as { directory: string }).directory;
    put(`${path}/tls.crt`, pair.cert);
    put(`${path}/tls.key`, pair.key);
  }
  for (const child of Object.values(node)) makeFiles(child, directory);
}

const STATIC = `
entryPoints: { mqtts: { address: ":8883" }, mqtt: { address: ":1884" } }
providers: { file: { directory: dynamic } }
`;

/** No example is shadowed by it, or shadows it. */
const USER = `
tcp:
  routers: { usesEveryEntryPoint: { rule: "ClientIP(\`192.0.2.1\`)", priority: 1000000, service: usesEveryEntryPoint } }
  services: { usesEveryEntryPoint: { loadBalancer: { servers: [{ port: 1884 }] } } }
`;

async function check({ kind, text }: Example) {
  const directory = temporaryDirectory();
  const config = parse(text);
  makeFiles(config, directory);
  writeFileSync(join(directory, "sluice.yml"), kind === "static" ? text : STATIC);
  const dynamic = kind === "static" ? (config.providers?.file?.directory ?? "dynamic") : "dynamic";
  mkdirSync(join(directory, dynamic));
  if (kind === "dynamic") writeFileSync(join(directory, dynamic, "example.yml"), text);
  writeFileSync(join(directory, dynamic, "uses-every-entry-point.yml"), USER);
  return sluiceCli(["check", "--configFile=sluice.yml"], { cwd: directory });
}

describe("examples", () => {
  test("there are many, and each says whether it is a static or a dynamic configuration", () => {
    expect(examples.filter(({ kind }) => kind === "dynamic").length).toBeGreaterThan(10);
    expect(examples.filter(({ kind }) => kind === "static").length).toBeGreaterThan(1);
    expect(examples.filter(({ kind }) => !["static", "dynamic", "compose"].includes(kind))).toEqual([]);
  });

  for (const example of examples.filter(({ kind }) => kind !== "compose"))
    test(`${example.where} passes check without a warning`, async () => {
      const { code, stderr } = await check(example);
      // Stores are away here.
      const warnings = stderr.split("\n").filter((line) => line !== "" && !line.endsWith("[provider-away]"));
      expect({ code, warnings }).toEqual({ code: 0, warnings: [] });
    });

  for (const example of examples.filter(({ kind }) => kind === "compose"))
    test(`${example.where} has labels that make a router and its service`, () => {
      const { file, problems } = readComposeLabels(parse(example.text), ["mqtts"]);
      expect(problems).toEqual([]);
      expect(Object.keys(file.value.tcp.routers)).not.toEqual([]);
      expect(Object.keys(file.value.tcp.services)).not.toEqual([]);
    });

  test("a broken example would be found", async () => {
    const broken = { where: "", kind: "dynamic", text: "tcp: { routers: { a: { rul: x } } }\n" };
    expect((await check(broken)).code).toBe(1);
  });
});

test("every block of a guide says what a test does with it", () => {
  for (const guide of GUIDES) expect(() => stepsOf(guide.replace("docs/", ""))).not.toThrow();
});

/** Pages of other projects, each with the guide for who has followed it: lines, words, and commands of openssl and keytool in them. */
const ORIGINALS = [
  ["Tempus: MQTT over SSL", "java-keystore", { lines: 131, words: 642, commands: 3 }],
  ["ThingsBoard: MQTT over SSL, PEM", "encrypted-pem", { lines: 250, words: 1108, commands: 1 }],
  ["ThingsBoard: MQTT over SSL, key store", "device-tokens", { lines: 250, words: 1108, commands: 1 }],
  ["SINETStream: MQTT with client authentication", "certificate-names", { lines: 201, words: 837, commands: 0 }],
  ["Rhasspy Mobile: MQTT", "android", { lines: 201, words: 814, commands: 14 }],
  ["a page of 2014 on Mosquitto and M2Mqtt", "password-file", { lines: 124, words: 756, commands: 10 }],
  ["the same, as it was then", "old-devices", { lines: 124, words: 756, commands: 10 }],
] as const;

test.each(ORIGINALS)(
  "%s: the guide begins with sluice certs, makes nothing by other means, and is shorter",
  (_, guide, page) => {
    const text = read(`docs/guides/${guide}.md`);
    const commands = stepsOf(`guides/${guide}.md`)
      .filter(({ kind }) => kind === "run")
      .flatMap((step) => step.text.trim().split("\n"));
    expect(commands.find((line) => !line.startsWith("echo "))).toStartWith("bin/sluice certs init");
    expect(commands.filter((line) => /\b(?:openssl (?!s_client)|keytool)/.test(line))).toEqual([]);
    expect(text.split("\n").length - 1).toBeLessThan(page.lines);
    expect(text.trim().split(/\s+/).length).toBeLessThan(page.words);
    // What SINETStream's page presupposes is on another page of theirs.
    if (page.commands > 3)
      expect(commands.filter((line) => line.includes("certs ")).length).toBeLessThan(page.commands);
  },
);

describe("commands", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const subcommands = [
    ...`${read("src/cli/program.ts")}${read("src/cli/operator-commands.ts")}`.matchAll(
      /(?:\.command|look|act)\("(\w+)"/g,
    ),
  ].map((match) => match[1]!);
  const known = (command: string): boolean => {
    const [program, ...args] = command.split(/\s+/) as [string, ...string[]];
    if (program === "npm") return (args[0] === "run" ? args[1]! : args[0]!) in scripts;
    if (program === "mkdir" || program === "cd") return true;
    if (program === "../bin/sluice" && args[0]!.startsWith("--")) return true; // run, with flags: configuration-sources.test.ts
    if (program === "bin/sluice") {
      const file = args.find((each) => each.startsWith("--configFile="))?.slice("--configFile=".length);
      return subcommands.includes(args[0]!) && (file === undefined || existsSync(join(ROOT, file)));
    }
    if (program === "cp") return existsSync(join(ROOT, args[0]!));
    return ["mosquitto_sub", "mosquitto_pub", "openssl", "curl", "fail2ban-regex", "systemctl"].includes(program);
  };
  const commands = PAGES.flatMap((page) => [
    ...[...read(page).matchAll(FENCE)]
      .filter(([, language]) => language === "sh")
      .flatMap(([, , text]) => text!.trim().split("\n")),
    ...[...proseOf(page).matchAll(/`((?:npm|bin\/sluice) [^`]+)`/g)].map((match) => match[1]!),
  ]);

  test("every command of the pages exists", () => {
    expect(commands).toContain("npm start");
    expect(commands).toContain("npm test");
    expect(commands.filter((command) => !known(command))).toEqual([]);
  });

  test("every option of a certs command in the pages is one of its --help, and every such command is in docs/certificates.md", async () => {
    const cwd = temporaryDirectory();
    const helpOf = async (...args: string[]) => (await sluiceCli([...args, "--help"], { cwd })).stdout;
    const unknown: string[] = [];
    for (const command of commands) {
      const [, name, options] = /^bin\/sluice certs (\w+)(.*)$/.exec(command) ?? [];
      if (name === undefined) continue;
      const known = [...(await helpOf("certs", name)).matchAll(/--\w+/g)].map(([option]) => option);
      for (const [option] of options!.matchAll(/--\w+/g)) if (!known.includes(option)) unknown.push(command);
    }
    expect(unknown).toEqual([]);
    const all = [...(await helpOf("certs")).matchAll(/^ {2}(\w+) [[<]/gm)].map((match) => match[1]!);
    expect(all).toContain("renew");
    const page = read("docs/certificates.md");
    expect(all.filter((name) => name !== "help" && !page.includes(`certs ${name}`))).toEqual([]);
  });

  test("the two lines to copy are the ones that npm start prints", () => {
    const template = /`(-h \$\{name\} [^`]*)`/.exec(read("src/cli/banner.ts"))?.[1] ?? "";
    const common = template
      .replace("${name}", "localhost")
      .replace("${port}", "8883")
      .replace(/\$\{quoted[^}]*\}/, "data/ca.crt");
    expect(common).toContain("--cafile data/ca.crt");
    expect(commands).toContain(`mosquitto_sub ${common}`);
    expect(commands).toContain(`mosquitto_pub ${common} -m world`);
  });
});

describe("nothing is left out", () => {
  /** Whether a page says `word` as code, alone or within a longer piece such as `tls.options`. */
  const codeOf = (...pages: string[]) =>
    pages.flatMap((page) => [...proseOf(page).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!));
  const mentions = (pieces: readonly string[], word: string) =>
    pieces.some((piece) => new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(piece));
  const alone = (pieces: readonly string[], word: string) => pieces.includes(word);

  const SCHEMAS = [
    ["static", staticSchema],
    ["dynamic", dynamicSchema],
  ] as const;

  for (const [which, schema] of SCHEMAS)
    test(`every field of the ${which} configuration has a row in its reference, and every value of a field is there`, () => {
      const rows = [...proseOf(`docs/reference/${which}.md`).matchAll(/^\| `([^`]+)` \|(.*)$/gm)];
      const row = new Map(rows.map(([, path, cells]) => [path!, cells!]));
      const missing: string[] = [];
      let seen = 0;
      for (const { path, schema: field, meta } of fieldsOf(schema)) {
        // The fields of an object that has rows at another place; its own row says where.
        const parent = [...row].find(
          ([each]) => path.startsWith(`${each}.`) && /Its fields are those of/.test(row.get(each)!),
        );
        const heading = within(field) !== null && proseOf(`docs/reference/${which}.md`).includes(`\n## ${path}\n`);
        const gathers = within(field)?.through === "" && [...row.keys()].some((each) => each.startsWith(`${path}.`));
        if (meta.elsewhere !== undefined || parent !== undefined || heading || gathers) continue;
        seen++;
        if (!row.has(path)) missing.push(path);
        const { type } = unwrap(field);
        for (const value of type.def.type === "enum" ? ((type as z.ZodEnum).options as string[]) : [])
          if (!row.get(path)?.includes(`\`${value}\``)) missing.push(`${path}: ${value}`);
      }
      expect(missing).toEqual([]);
      expect(seen).toBeGreaterThan(70);
    });

  test("every field that Sluice lacks is in the page on Traefik", () => {
    const pieces = codeOf("docs/traefik-compatibility.md");
    const lacking = SCHEMAS.flatMap(([, schema]) => [...fieldsOf(schema)])
      .filter(({ meta }) => meta.unsupported !== undefined)
      .map(({ path }) => path.split(".").at(-1)!);
    for (const known of ["nomad", "pilot", "peerCertSANs"]) expect(lacking).toContain(known);
    expect(lacking.filter((name) => !mentions(pieces, name))).toEqual([]);
  });

  test("every section of the static configuration and every middleware is in the page on Traefik", () => {
    const pieces = codeOf("docs/traefik-compatibility.md");
    const paths = SCHEMAS.flatMap(([, schema]) => [...fieldsOf(schema)]).map(({ path }) => path.split("."));
    const roots = [...fieldsOf(staticSchema)].map(({ path }) => path).filter((path) => !path.includes("."));
    const middlewares = paths.filter((path) => path.length === 4 && path[1] === "middlewares").map((path) => path[3]!);
    for (const known of ["limits", "inFlightConn", "mqttConnect"]) expect([...roots, ...middlewares]).toContain(known);
    expect([...roots, ...middlewares].filter((name) => !mentions(pieces, name))).toEqual([]);
  });

  const operations = codeOf("docs/operations.md");

  /** The string literals of the union types that hold the reasons. */
  function literals(file: string, type: string): string[] {
    const source = read(file);
    const from = source.indexOf(`export type ${type} =`);
    expect(from).toBeGreaterThanOrEqual(0);
    const union = source.slice(from, source.indexOf(";\n", from)).replace(/^\s*(\/\/|\/\*\*).*$/gm, "");
    return [...union.matchAll(/"([a-z0-9-]+)"/g)].map((match) => match[1]!);
  }

  const reasons = [
    ...literals("src/proxy/reasons.ts", "Reason"),
    ...literals("src/proxy/reasons.ts", "ConnectReject"),
    ...literals("src/admission/reject.ts", "AdmissionReject"),
    ...literals("src/net/relay.ts", "RelayEnd"),
    ...literals("src/wire/client-hello.ts", "HelloReject"),
    ...literals("src/tls/client-auth.ts", "ClientAuthReject"),
    ...literals("src/middlewares/middleware.ts", "MiddlewareReject"),
  ];
  const dialReasons = literals("src/net/dial-error.ts", "DialError");
  const section = (title: string) => {
    const text = proseOf("docs/operations.md");
    return text.slice(text.indexOf(`\n## ${title}\n`)).split(/\n## /)[1]!;
  };
  const rowsOf = (title: string) => [...section(title).matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1]!);

  test("the table of reasons holds every reason and no other", () => {
    expect(reasons.length).toBeGreaterThan(25);
    expect(rowsOf("How a connection ends").sort()).toEqual([...new Set(reasons)].sort());
  });

  test("the table of causes of failed handshakes holds every one and no other", () => {
    const firstColumns = [...section("Why a handshake fails").matchAll(/^\| (`[^|]+`) \|/gm)].map((match) => match[1]!);
    const causes = firstColumns.flatMap((cell) => cell.split(", ").map((each) => each.replaceAll("`", "")));
    expect(causes.sort()).toEqual([...HANDSHAKE_CAUSES].sort());
  });

  test("the picture in the README shows the steps that there are, in their order, and their reasons", () => {
    const picture = /```text\n( client[\s\S]*?)```/.exec(read("README.md"))![1]!;
    const drawn = [...picture.matchAll(/^[ |]*?([a-z]+) (?:\.\.\.|<---)/gm)].map((match) => match[1]!);
    expect(drawn).toEqual([
      ...[
        "admit",
        "hold",
        "preface",
        "peek",
        "decide",
        "ask",
        "handshake",
        "identify",
        "gate",
        "dial",
        "answer",
        "relay",
      ],
    ]);
    // A queue that everybody passes, the end of who is refused, and an answer to an authority are no part of a client's way.
    const files = readdirSync(join(ROOT, "src/proxy/steps")).map((file) => file.replace(".ts", ""));
    expect(files.filter((step) => !["turn", "dismiss", "challenge"].includes(step) && !drawn.includes(step))).toEqual(
      [],
    );
    const elsewhere = { decide: "src/proxy/decide.ts", relay: "src/net/relay.ts" } as Record<string, string>;
    for (const step of drawn)
      expect(existsSync(join(ROOT, elsewhere[step] ?? `src/proxy/steps/${step}.ts`))).toBe(true);
    const ends = [...picture.matchAll(/(?:\.\.\. |, | {20})([a-z]+(?:-[a-z]+)*)(?=,|$)/gm)].map((match) => match[1]!);
    expect(ends.length).toBeGreaterThan(10);
    expect(ends.filter((reason) => !reasons.includes(reason))).toEqual([]);
  });

  test("the table of dial errors holds every one and no other", () => {
    expect(rowsOf("Why a dial fails").sort()).toEqual([...dialReasons].sort());
  });

  test("every metric that a page names exists", () => {
    const known = new Set(metrics().map(({ name }) => name));
    expect(known.size).toBeGreaterThan(20);
    const named = [...PAGES, ...GUIDES].flatMap((page) =>
      [...read(page).matchAll(/\bsluice_\w+/g)].map((match) => match[0]),
    );
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !named.includes(name))).toEqual([]);
  });

  test("every field of the access log is in its table", () => {
    const source = read("src/observe/access-log.ts");
    const every = ["level", "time", "role", "msg"]; // of every log line
    const fields = [...source.matchAll(/"(\w+)":/g)]
      .map((match) => match[1]!)
      .filter((field) => !every.includes(field));
    expect(fields.length).toBeGreaterThan(12);
    expect(fields.filter((field) => !alone(operations, field))).toEqual([]);
  });
});
