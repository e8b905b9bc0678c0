// Passwords: where they come from, and that a file which is away is still waited for.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSecret } from "../../../src/certs/secrets.ts";
import { temporaryDirectory } from "../../support/tools.ts";

test("a password file that is away is named to be watched, and read when it has come", () => {
  const file = join(temporaryDirectory(), "password");
  const seen: string[] = [];
  expect(readSecret(undefined, file, (path) => seen.push(path))).toEqual({
    kind: "error",
    message: `${file}: no such file`,
  });
  expect(seen).toEqual([file]);
  writeFileSync(file, "hunter2\nnot this line\n");
  expect(readSecret(undefined, file)).toEqual({ kind: "ok", value: "hunter2" });
});

test("a password file that is no UTF-8 is refused, and a byte order mark is no part of the password", () => {
  const file = join(temporaryDirectory(), "password");
  const read = (bytes: Buffer) => {
    writeFileSync(file, bytes);
    return readSecret(undefined, file);
  };
  expect(read(Buffer.from("\ufeffgrün\r\n"))).toEqual({ kind: "ok", value: "grün" });
  expect(read(Buffer.from("grün\n", "latin1"))).toMatchObject({
    message: `${file} is not in UTF-8: save it in UTF-8 (iconv -f WINDOWS-1252 -t UTF-8 FILE > FILE.utf8)`,
  });
  expect(read(Buffer.from("\ufeffgrün\r\n", "utf16le"))).toMatchObject({
    message: `${file} is in UTF-16: save it in UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8)`,
  });
  expect(read(Buffer.from("ab\0c\n"))).toMatchObject({ message: `${file} is binary, and no text with a password` });
});
