// A diagnostic is about the part that its message names, by the name that the maps have, so that whoever looks for the causes of something
// never has to read messages: held by every folder of test/fixtures/broken.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadOffline } from "../../../src/cli/offline.ts";
import { type Diagnostic, Diagnostics, type Subject } from "../../../src/config/diagnostics.ts";
import { parseStatic } from "../../../src/config/static.ts";

const BROKEN = resolve(import.meta.dir, "../../fixtures/broken");

/** What messages call the parts that have names. */
const KINDS: Readonly<Record<string, Subject["kind"]>> = {
  "entry point": "entryPoint",
  resolver: "resolver",
  router: "router",
  middleware: "middleware",
  service: "service",
  serversTransport: "serversTransport",
  "TLS option": "tlsOptions",
  store: "store",
};
const NAMED = new RegExp(`^the (${Object.keys(KINDS).join("|")}) "([^"]*)"`);

/** What a message calls by its own name is kept with its provider, unless it is for all of them. */
function fullName(kind: Subject["kind"], name: string): string {
  const isForAll = ["entryPoint", "resolver", "store"].includes(kind) || (kind === "tlsOptions" && name === "default");
  return isForAll ? name : `${name}@file`;
}

/** The routes of a folder, wherever its own static file would look for them. */
async function diagnose(folder: string): Promise<readonly Diagnostic[]> {
  const diagnostics = new Diagnostics();
  const file = readdirSync(join(BROKEN, folder)).find((each) => each.startsWith("sluice."))!;
  const directory = join(BROKEN, folder, "dynamic");
  const config = parseStatic(file, readFileSync(join(BROKEN, folder, file), "utf8"), diagnostics, {
    environment: {},
    flags: [{ name: "--providers.file.directory", value: directory }],
  });
  if (config !== null) await loadOffline(config, diagnostics);
  return diagnostics.list;
}

test("every diagnostic that begins with a part's name is about this part", async () => {
  const said = (await Promise.all(readdirSync(BROKEN).map(diagnose))).flat();
  const named = said.flatMap(({ message, about, code }) => {
    const match = NAMED.exec(message);
    return match === null || MENTIONED.includes(code)
      ? []
      : [{ message, about, kind: KINDS[match[1]!]!, name: match[2]! }];
  });
  expect(named.length).toBeGreaterThan(80);
  expect(named.filter(({ about, kind, name }) => about?.kind !== kind || about?.name !== fullName(kind, name))).toEqual(
    [],
  );
});

test("what is off because of another part blames one that has an error of its own", async () => {
  let count = 0;
  for (const folder of readdirSync(BROKEN)) {
    const said = (await diagnose(folder)).filter(({ severity }) => severity === "error");
    const isBroken = ({ kind, name }: Subject) => said.some(({ about }) => about?.kind === kind && about.name === name);
    const off = said.filter(({ code }) => code.endsWith("-off"));
    count += off.length;
    expect(off.filter(({ because }) => because === null || !isBroken(because))).toEqual([]);
  }
  expect(count).toBeGreaterThan(15);
});

/** They are about who uses the entry point. */
const MENTIONED = ["entry-point-unknown"];
