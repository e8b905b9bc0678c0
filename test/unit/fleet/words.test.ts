// Names in READMEs and headers: shells, Python, Java, C and Markdown read back what was meant, whatever it is.

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cHeader } from "../../../src/fleet/header.ts";
import { cString, inline, javaString, plain, pythonString, shellWord } from "../../../src/fleet/words.ts";
import { exec, temporaryDirectory } from "../../support/tools.ts";

const NAMES = [
  "dev-1",
  "it's",
  "-n",
  `"quoted"`,
  "$(touch x) `touch y` ${HOME}",
  "back\\slash\\",
  "??/ */ // trigraph",
  "Gerät 日本 🚀",
  "a|b<c>&amp;#*_~[x](y)",
  "%s %n 0123\\0",
];

test("a shell reads the name as one word", async () => {
  for (const name of NAMES)
    expect((await exec(["sh", "-c", `printf '%s|' ${shellWord(name)}`])).stdout).toBe(`${name}|`);
});

test("Python and JavaScript read it as a string", async () => {
  const script = `import sys\nfor each in [${NAMES.map(pythonString).join(", ")}]: sys.stdout.buffer.write(each.encode() + b"\\0")`;
  expect((await exec(["python3", "-c", script])).stdout.split("\0")).toEqual([...NAMES, ""]);
  for (const name of NAMES) {
    expect(javaString(name)).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(javaString(name))).toBe(name);
  }
});

test("C and C++ compile a header with any name, without a warning, and have the name and PEM as they were", async () => {
  const directory = temporaryDirectory();
  for (const [at, name] of NAMES.entries()) {
    const pems = { ca: "-----BEGIN A-----\nabc+/=\n-----END A-----\n", certificate: "c\n", key: "k\n" };
    const server = { host: "mqtt.example.com", port: 8883 };
    const outfit = { family: "esp32", server, store: null, legacy: null } as const;
    const device = { ...outfit, name, serial: "0", notAfter: 0, isKeyEncrypted: false, hasPasswordFile: false };
    writeFileSync(join(directory, "sluice-client.h"), cHeader(device, pems));
    const main = `#include <stdio.h>\n#include "sluice-client.h"\n#include "sluice-client.h"\nint main(void) { printf("%s\\n%s\\n%d\\n%s%s%s", SLUICE_CLIENT_ID, SLUICE_URI, SLUICE_PORT, SLUICE_CA, SLUICE_CERTIFICATE, SLUICE_PRIVATE_KEY); return 0; }\n`;
    const language = at % 2 === 0 ? "c" : "c++";
    writeFileSync(join(directory, "main.c"), main);
    const compiled = await exec(
      ["gcc", ...["-x", language, "-trigraphs", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.c"]],
      { cwd: directory },
    );
    expect(compiled).toMatchObject({ code: 0, stderr: "" });
    expect((await exec([join(directory, "main")])).stdout).toBe(
      `${name}\nmqtts://mqtt.example.com:8883\n8883\n${pems.ca}c\nk\n`,
    );
  }
});

test("Markdown shows it as it is", () => {
  expect(NAMES.slice(0, 1).map(inline)).toEqual(["`dev-1`"]);
  expect(inline("a`b")).toBe("``a`b``");
  expect(inline("`a|")).toBe("`` `a\\| ``");
  expect(plain("a|b<c>*_")).toBe("a\\|b\\<c\\>\\*\\_");
  expect(cString("??/")).toBe('"\\077\\077/"');
});
