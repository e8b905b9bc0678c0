// A file of another kind than text is named for what it is, and nothing of it is read as text.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTextFile } from "../../../src/system/files.ts";
import { temporaryDirectory } from "../../support/tools.ts";

const file = join(temporaryDirectory(), "sluice.yml");
const read = (bytes: Buffer) => {
  writeFileSync(file, bytes);
  return readTextFile(file);
};
const TEXT = 'entryPoints:\n  mqtts:\n    address: ":8883"\n';

test("UTF-16 with a mark or without, in either order, is called that, with the command that mends it", () => {
  const message = `${file} is in UTF-16: save it in UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8)`;
  for (const text of [TEXT, `\ufeff${TEXT}`]) {
    const little = Buffer.from(text, "utf16le");
    expect(read(little)).toEqual({ kind: "error", message });
    expect(read(Buffer.from(little).swap16())).toEqual({ kind: "error", message });
  }
});

test("bytes that are no text are called binary", () => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 197) % 256));
  expect(read(bytes)).toEqual({ kind: "error", message: `${file} is binary, and no text` });
  expect(read(Buffer.concat([Buffer.from(TEXT), Buffer.alloc(100)]))).toMatchObject({ kind: "error" });
});

test("UTF-8 is read, with a mark and without, and so is nothing at all", () => {
  for (const text of [TEXT, `\ufeff${TEXT}`, "", "ü"])
    expect(read(Buffer.from(text))).toEqual({ kind: "ok", text, path: file });
});
