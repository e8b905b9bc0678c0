// The folder of what is issued to a name: readable, one for each name, and within the directory whatever the name is.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { folderName } from "../../../src/authority/folder.ts";

test.each([
  ["dev-1", "dev-1"],
  ["Gerät 7", "Gerät 7"],
  ["*.example.com", "%2A.example.com"],
  ["2001:db8::1", "2001%3Adb8%3A%3A1"],
  ["../../etc", "%2E.%2F..%2Fetc"],
  ["..", "%2E."],
  [".hidden", "%2Ehidden"],
  ["-rf", "%2Drf"],
  ["a%2Fb", "a%252Fb"],
])("%s", (name, folder) => expect(folderName(name)).toBe(folder));

test("no name leads out of the directory, and the longest fit", () => {
  for (const name of ["..", "../x", "/x", "a/../../b", "🚀".repeat(64), `${"🚀".repeat(63)}a`]) {
    const folder = folderName(name);
    expect(join("/out", folder)).toBe(`/out/${folder}`);
    expect(folder).not.toContain("/");
    expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(255);
  }
  expect(folderName("🚀".repeat(64))).not.toBe(folderName(`${"🚀".repeat(63)}a`));
});
