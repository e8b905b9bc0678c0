// A file that is replaced is whole at every moment, has its mode, and stays where links lead to.

import { expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFile, replaceFile } from "../../../src/system/replace-file.ts";
import { temporaryDirectory } from "../../support/tools.ts";

/** A volume that is mounted somewhere, and a directory in which a link leads to a file of it. */
function linked(target: string) {
  const root = temporaryDirectory();
  const volume = join(root, "volume");
  mkdirSync(volume);
  mkdirSync(join(root, "a"));
  mkdirSync(join(root, "a/etc"));
  symlinkSync(join(root, "a/etc"), join(root, "etc"));
  const link = join(root, "etc/acme.json");
  symlinkSync(target.replace("{root}", root), link);
  return { volume, link };
}

for (const [what, target] of [
  ["an absolute link", "{root}/volume/acme.json"],
  ["a relative link, whose directory is a link too", "../../volume/acme.json"],
] as const)
  test(`${what} stays, and the file that it leads to is made and replaced`, () => {
    const { volume, link } = linked(target);
    for (const text of ["first", "second"]) {
      replaceFile(link, text, 0o600);
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
      expect(lstatSync(join(volume, "acme.json")).isFile()).toBe(true);
      expect(readFileSync(join(volume, "acme.json"), "utf8")).toBe(text);
    }
    expect(readdirSync(volume)).toEqual(["acme.json"]);
  });

test("a link that leads to itself makes room for the file", () => {
  const { link } = linked("acme.json");
  replaceFile(link, "text", 0o600);
  expect(readFileSync(link, "utf8")).toBe("text");
});

test("the new file has its mode, whatever the former one and the umask have", () => {
  const path = join(temporaryDirectory(), "file");
  writeFileSync(path, "former", { mode: 0o640 });
  const umask = process.umask(0o077);
  try {
    replaceFile(path, "new", 0o644);
  } finally {
    process.umask(umask);
  }
  expect(statSync(path).mode & 0o777).toBe(0o644);
});

test("what cannot be written leaves the former file, and nothing beside it", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "file");
  mkdirSync(path);
  expect(() => replaceFile(path, "new", 0o600)).toThrow("EISDIR");
  expect(readdirSync(directory)).toEqual(["file"]);
});

test("a file that is made takes the place of none that is there, not even of a link that leads to nothing", () => {
  const directory = temporaryDirectory();
  const at = (name: string) => join(directory, name);
  const before = process.umask(0);
  try {
    createFile(at("new"), "text", 0o600);
  } finally {
    process.umask(before);
  }
  expect(readFileSync(at("new"), "utf8")).toBe("text");
  expect(statSync(at("new")).mode & 0o777).toBe(0o600);
  symlinkSync("nowhere", at("link"));
  for (const name of ["new", "link"]) expect(() => createFile(at(name), "other", 0o600)).toThrow("EEXIST");
  expect(readFileSync(at("new"), "utf8")).toBe("text");
  expect(readdirSync(directory).sort()).toEqual(["link", "new"]);
});
