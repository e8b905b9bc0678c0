// Who gives a question for a new secret up makes nothing: least of all an authority whose key nobody asks a passphrase for.

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../../src/cli/program.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const directory = temporaryDirectory();
const authority = join(directory, "authority");

/** `answers` to the questions, one after the other; null gives up, as Ctrl-C does. */
async function type(answers: (string | null)[], ...args: string[]) {
  const said: string[] = [];
  const ask = async () => answers.shift() ?? null;
  const code = await runCommand(["certs", ...args], { log: () => {}, error: (text) => said.push(text), ask });
  return { code, said, left: answers.length };
}

test("a passphrase that is given up, at once or at the second time, makes no authority", async () => {
  for (const answers of [[null], ["secret", null], ["secret", "other", null]]) {
    const { code, said } = await type(answers, "init", `--dir=${authority}`);
    expect([code, said.at(-1)]).toEqual([1, "given up: nothing was made"]);
    expect(existsSync(authority)).toBe(false);
  }
});

test("a password of key stores that is given up makes no device, and one that is left empty is made for each", async () => {
  await type([""], "init", `--dir=${authority}`);
  expect(readFileSync(join(authority, "ca.key"), "utf8")).not.toContain("ENCRYPTED");
  const out = join(directory, "clients");
  const client = ["client", "dev-1", "--for=generic", `--authority=${authority}`, `--out=${out}`];
  expect(await type([null], ...client)).toMatchObject({ code: 1, left: 0 });
  expect(existsSync(out)).toBe(false);
  expect(await type([""], ...client)).toMatchObject({ code: 0, left: 0 });
  expect(readdirSync(join(out, "dev-1"))).toContain("password.txt");
});
