// A keygen.properties is read as a shell would read it, and nothing in it is run; what a shell would do more is an error with its line.

import { describe, expect, test } from "bun:test";
import { type KeygenPlan, KNOWN_VARIABLES, planOf } from "../../../src/keygen/plan.ts";
import { parseProperties } from "../../../src/keygen/properties.ts";
import { exec } from "../../support/tools.ts";

const read = (text: string) => parseProperties(text, "host.test");
const valuesOf = (text: string): Record<string, string> => {
  const parsed = read(text);
  if (parsed.kind === "error") throw new Error(`${parsed.line}: ${parsed.message}`);
  return Object.fromEntries([...parsed.settings].map(([name, { value }]) => [name, value]));
};

test("quotes, comments and escapes mean what they mean to a shell", async () => {
  const text = [
    "\t# a comment",
    "",
    "A=plain",
    'B="San Francisco" # behind it',
    "C='it is $HOME and `id`'",
    'D="a \\"quote\\", a \\\\ and \\$5"',
    "export E=a\"b c\"'d'e",
    "F=",
    'G=""',
    "H=/etc/thingsboard/conf/",
    "I=x#y",
    "J=ü",
    "  K=indented  ",
    'L="a \\n stays"',
    "A=again",
  ].join("\n");
  const own = valuesOf(text);
  const names = Object.keys(own);
  const { stdout } = await exec([
    "bash",
    "-c",
    `${text}\nprintf '%s\\n' ${names.map((name) => `"$${name}"`).join(" ")}`,
  ]);
  expect(names.map((name) => own[name]!)).toEqual(stdout.split("\n").slice(0, -1));
  const parsed = read(text);
  expect(parsed.kind === "ok" && parsed.again).toEqual([{ name: "A", line: 15 }]);
});

test("the host name alone is put in, and line ends of Windows are none of the value", () => {
  expect(valuesOf('\ufeffA="$(hostname)"\r\nB=$(hostname).test\r\nC="`hostname`"\r\n')).toEqual({
    ...{ A: "host.test", B: "host.test.test", C: "host.test" },
  });
});

test.each([
  ["CITY=San Francisco", 'CITY has a space that is not in quotes: write CITY="..."'],
  ["CITY = x", "there is a space before the ="],
  ["echo hello", "this is no assignment"],
  [". other.properties", "this is no assignment"],
  ["A=$(id)", "A has a variable or a command in it"],
  ['A="${B}"', "A has a variable or a command in it"],
  ['A="`rm -rf x`"', "A has a variable or a command in it"],
  ["A=$(hostname; id)", "A has a variable or a command in it"],
  ["A=b;id", "A has the character ;"],
  ["A=b&", "A has the character &"],
  ["A=<(id)", "A has the character <"],
  ["A=a\\b", "A has the character \\"],
  ['A="open', "A has a double quote that is not closed"],
  ["A='open", "A has a single quote that is not closed"],
])("%j is refused, with its line", (line, message) => {
  const parsed = read(`# first\n${line}\nZ=1\n`);
  expect(parsed).toMatchObject({ kind: "error", line: 2 });
  expect(parsed.kind === "error" && parsed.message).toContain(message);
});

test("no text makes it fail in another way than by saying so", () => {
  const alphabet = "A=\"'\\$`()# \t\n;hostname";
  for (let round = 0; round < 3000; round++) {
    let text = "";
    for (let at = 0; at < round % 60; at++) text += alphabet[(round * 31 + at * at * 17 + at) % alphabet.length];
    read(text);
    read(`A=${text}`);
  }
});

const THINGSBOARD = `
DOMAIN_SUFFIX="$(hostname)"
SUBJECT_ALTERNATIVE_NAMES="ip:127.0.0.1"
ORGANIZATIONAL_UNIT=ThingsBoard
ORGANIZATION=ThingsBoard
CITY="San Francisco"
STATE_OR_PROVINCE=CA
TWO_LETTER_COUNTRY_CODE=us
SERVER_KEYSTORE_PASSWORD=server_ks_password
SERVER_KEY_PASSWORD=server_key_password
SERVER_KEY_ALIAS="serveralias"
SERVER_FILE_PREFIX="mqttserver"
SERVER_KEYSTORE_DIR="/etc/thingsboard/conf/"
CLIENT_KEYSTORE_PASSWORD=password
CLIENT_KEY_PASSWORD=password
CLIENT_TRUSTSTORE="client_truststore"
CLIENT_KEY_ALIAS="clientalias"
CLIENT_FILE_PREFIX="mqttclient"
`;

describe("variables", () => {
  const plan = (purpose: "client" | "server", text: string) => {
    const parsed = read(text);
    if (parsed.kind === "error") throw new Error(parsed.message);
    return planOf(purpose, parsed.settings);
  };
  const planned = (purpose: "client" | "server", text: string): KeygenPlan => {
    const result = plan(purpose, text);
    if (result.kind === "error") throw new Error(result.message);
    return result.plan;
  };

  test("of ThingsBoard's page become names of files, passwords, aliases and the distinguished name", () => {
    expect(planned("client", THINGSBOARD)).toMatchObject({
      ...{ key: "rsa2048", prefix: "mqttclient", alias: "clientalias", serverAlias: "serveralias" },
      ...{ storePassword: "password", keyPassword: "password" },
      subject: {
        commonName: "host.test",
        around: [
          { type: "C", value: "US" },
          { type: "ST", value: "CA" },
          { type: "L", value: "San Francisco" },
          { type: "O", value: "ThingsBoard" },
          { type: "OU", value: "ThingsBoard" },
        ],
      },
    });
    expect(planned("server", THINGSBOARD).subject.alternativeNames).toEqual([
      { kind: "DNS", value: "host.test" },
      { kind: "IP", value: "127.0.0.1" },
    ]);
  });

  test.each([
    ["CLIENT_KEY_ALG=EC", "ec"],
    ["CLIENT_KEY_ALG=EC\nCLIENT_KEY_GROUP_NAME=secp384r1", "ec384"],
    ["CLIENT_KEY_ALG=ec\nCLIENT_KEY_SIZE=256", "ec"],
    ["CLIENT_KEY_ALG=RSA\nCLIENT_KEY_SIZE=4096", "rsa4096"],
    ["CLIENT_KEY_ALG=RSA\nCLIENT_KEY_GROUP_NAME=secp256r1", "rsa2048"],
  ])("%j is a key of %s", (lines, key) => {
    expect(planned("client", THINGSBOARD + lines).key as string).toBe(key);
  });

  test.each([
    [
      "CLIENT_KEY_ALIS=x",
      19,
      'CLIENT_KEY_ALIS is no variable of ThingsBoard\'s keygen.properties (did you mean "CLIENT_KEY_ALIAS"?)',
    ],
    ["CLIENT_FILE_PREFIX=", 19, "CLIENT_FILE_PREFIX is empty"],
    ["CLIENT_FILE_PREFIX=keys/", 19, "CLIENT_FILE_PREFIX ends in a /"],
    ["TWO_LETTER_COUNTRY_CODE=USA", 19, "TWO_LETTER_COUNTRY_CODE is two letters"],
    ["CLIENT_KEY_ALG=DSA", 19, "CLIENT_KEY_ALG is RSA or EC"],
    ["CLIENT_KEY_SIZE=1024", 19, "CLIENT_KEY_SIZE of RSA is 2048, 3072 or 4096"],
    ["CLIENT_KEY_ALG=EC\nCLIENT_KEY_GROUP_NAME=secp521r1", 20, "CLIENT_KEY_GROUP_NAME is secp256r1 or secp384r1"],
    ["CLIENT_KEY_ALIAS=ServerAlias", 19, "CLIENT_KEY_ALIAS and SERVER_KEY_ALIAS are the same"],
    ["DOMAIN_SUFFIX=' x'", 19, "DOMAIN_SUFFIX: "],
  ])("%j is refused", (lines, line, message) => {
    const result = plan("client", THINGSBOARD + lines);
    expect(result).toMatchObject({ kind: "error", line });
    expect(result.kind === "error" && result.message).toContain(message);
  });

  test("what is missing is named", () => {
    for (const name of ["CLIENT_KEY_PASSWORD", "CLIENT_KEYSTORE_PASSWORD", "SERVER_KEY_ALIAS", "DOMAIN_SUFFIX"]) {
      const text = THINGSBOARD.split("\n")
        .filter((line) => !line.startsWith(`${name}=`))
        .join("\n");
      expect(plan("client", text)).toEqual({
        ...{ kind: "error", line: null, message: `${name} is missing: add a line ${name}=...` },
      });
    }
  });

  test("every one of the scripts is known", () => {
    expect(KNOWN_VARIABLES).toContain("SERVER_KEY_GROUP_NAME");
    expect(new Set(KNOWN_VARIABLES).size).toBe(KNOWN_VARIABLES.length);
  });

  test("what every object has is no size of a key", () => {
    for (const value of ["constructor", "toString", "__proto__"])
      for (const kind of ["RSA", "EC"])
        expect(plan("client", `${THINGSBOARD}CLIENT_KEY_ALG=${kind}\nCLIENT_KEY_SIZE=${value}\n`).kind).toBe("error");
  });
});
