// Mosquitto's password file is read as Mosquitto reads it, and a line that is not sound costs its user alone.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatUsers, MAX_USERS, type PasswordFile, readPasswordFile } from "../../../src/mqtt/password-file.ts";
import { isFast, isFastPasswordOf, isSlowPasswordOf } from "../../../src/mqtt/password-hash.ts";

/** Of `tea & sugar`, by mosquitto_passwd 2.0.11 and 2.1.2, and by argon2(1) of Debian with Mosquitto's parameters. */
const TEA = {
  "2.0, $7$":
    "$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==",
  "2.0, $6$":
    "$6$BVXSJ0oqnWGq77N/$USw+QWpl8XxvdtUGJT3CCVRWo+O4MWxwm9hcH8q73hO0+XfJ+uOtTrylKNfWamonpgxNfIzZGRs0Xws/i1WQ6w==",
  "2.1, $7$":
    "$7$1000$rfh9HHFnwpN8hSGPHJoJXvU9ml3O73VJRZ2ZFtM/XrW+9aB98wEwqSnFRwcx3UC5wgtrMeEAiMdYFjapsltG6Q==$P+AqIpLwEZuWurJU0Kk/orqYvkXFu/V7Fu2V0kiXZsoSSW5oOY/3ipFqgM8rRhBua807MzC9y3U2FInS/MgaLw==",
  argon2id:
    "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$2uGZ3QYi9FRAjD4SNql+8KK1q5nuNChcr+Bbr+5/KdGVbgtASQsbC+m7eJDDuHrJezIuKPdudoz7o1AqpmrwbA",
  "argon2id with padding":
    "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA==$2uGZ3QYi9FRAjD4SNql+8KK1q5nuNChcr+Bbr+5/KdGVbgtASQsbC+m7eJDDuHrJezIuKPdudoz7o1AqpmrwbA==",
};
const GOOD = TEA["2.0, $7$"];
const [, , , SALT, HASH] = GOOD.split("$") as [string, string, string, string, string];
const LONG_SALT = TEA["2.1, $7$"].split("$")[3]!;

function read(text: string): PasswordFile {
  const result = readPasswordFile(text);
  if (result.kind !== "ok") throw new Error(result.message);
  return result.file;
}

const names = (text: string): string[] => [...read(text).users.keys()];
const faults = (text: string): string[] => read(text).faults.map(({ line, message }) => `${line}: ${message}`);
const is = async (file: PasswordFile, name: string, password: string) => {
  const hash = file.users.get(name)!;
  return isFast(hash) ? isFastPasswordOf(hash, Buffer.from(password)) : isSlowPasswordOf(hash, Buffer.from(password));
};

describe("the password is right, and no other one is", () => {
  test.each(Object.entries(TEA))("as written by %s", async (_, hash) => {
    const file = read(`anna:${hash}`);
    expect(file.faults).toEqual([]);
    for (const [password, right] of [
      ["tea & sugar", true],
      ["tea & sugar ", false],
      ["tea & sugar\0", false],
      ["tea & suga", false],
      ["", false],
    ] as const)
      expect(await is(file, "anna", password)).toBe(right);
    expect(read(formatUsers(file.users))).toEqual(file);
  });

  test("as written by the mosquitto_passwd that is installed, in both of its ways", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "passwords-")), "passwords");
    const run = (...args: string[]) => {
      const { exitCode, stderr } = Bun.spawnSync(["mosquitto_passwd", ...args]);
      if (exitCode !== 0) throw new Error(stderr.toString());
    };
    run("-c", "-b", path, "anna", "tea & sugar");
    run("-b", "-I", "5000", path, "Zoë", "żółw 🐢");
    run("-b", "-H", "sha512", path, "old one", "x");
    const file = read(readFileSync(path, "utf8"));
    expect(file.faults).toEqual([]);
    expect(await is(file, "anna", "tea & sugar")).toBe(true);
    expect(await is(file, "Zoë", "żółw 🐢")).toBe(true);
    expect(await is(file, "Zoë", "zolw")).toBe(false);
    expect(await is(file, "old one", "x")).toBe(true);
  });

  test("a password that goes on behind a NUL is another one, in every form", async () => {
    // By argon2(1), of the bytes `pw`, NUL, `tail`.
    const file = read(
      "a:$argon2id$v=19$m=1024,t=1,p=2$c29tZXNhbHQxMjM0NTY3OA$bgDxSFrLLcXWdBYFZb0y5nSFKL36Hbpi0qQGpDqAFXA",
    );
    expect(await is(file, "a", "pw\0tail")).toBe(true);
    expect(await is(file, "a", "pw")).toBe(false);
  });
});

describe("lines are read as Mosquitto reads them", () => {
  test("comments, blank lines and lines without a colon do not count", () => {
    const text = `# anna:x\n\n   \nno colon here\n#b:${GOOD}\nb0b:${GOOD}\n`;
    expect(read(text).faultCount).toBe(0);
    expect(names(text)).toEqual(["b0b"]);
  });

  test("blanks round name and hash, CRLF, a third field and a missing last newline do no harm", () => {
    const text = `\t anna \t:  ${GOOD} \r\nb0b:${GOOD}:comment:more\r\ncarl:${GOOD}`;
    expect(faults(text)).toEqual([]);
    expect(names(text)).toEqual(["anna", "b0b", "carl"]);
  });

  test("a byte order mark is not part of the first name", () => {
    expect(names(`\uFEFFanna:${GOOD}`)).toEqual(["anna"]);
  });

  test("names keep their case and the blanks inside", () => {
    expect(names(`Anna:${GOOD}\nanna:${GOOD}\nanna b:${GOOD}`)).toEqual(["Anna", "anna", "anna b"]);
  });

  test("what stands behind the digits of the iterations does not count", async () => {
    const file = read(`anna:${GOOD.replace("$101$", "$101x$")}`);
    expect(await is(file, "anna", "tea & sugar")).toBe(true);
  });
});

describe("a bad line costs that user alone, and says where and why without the password", () => {
  const argon = (parameters: string, salt = "c29tZXNhbHQxMjM0NTY3OA", version = "v=19") =>
    `$argon2id$${version}$${parameters}$${salt}$bgDxSFrLLcXWdBYFZb0y5nSFKL36Hbpi0qQGpDqAFXA`;
  test.each([
    ["plain text", "a:Secret1", "is not hashed"],
    ["nothing", "a:", "is not hashed"],
    ["nothing, and a third field", `a::${GOOD}`, "is not hashed"],
    ["an unknown kind", "a:$5$Secret1$Secret1", "not known here"],
    ["bcrypt", "a:$2b$10$Secret1Secret1", "not known here"],
    ["argon2i", argon("m=64,t=1,p=1").replace("argon2id", "a:$argon2i").slice(1), "not known here"],
    ["half a $7$", `a:$7$101$${SALT}`, "not whole"],
    ["half a $6$", `a:$6$${SALT}`, "not whole"],
    ["too many parts", `a:$6$${SALT}$${HASH}$Secret1`, "not whole"],
    ["a salt of another length", `a:$7$101$${SALT.slice(4)}$${HASH}`, "salt"],
    ["a salt that is no base64", `a:$7$101$${SALT.slice(1)}!$${HASH}`, "salt"],
    ["a huge salt", `a:$7$101$${"A".repeat(1 << 20)}$${HASH}`, "salt"],
    ["a short hash", `a:$7$101$${SALT}$${HASH.slice(4)}`, "its hash is no base64"],
    ["a hash that is cut off", `a:$6$${LONG_SALT}$${HASH.slice(0, -5)}`, "its hash is no base64"],
    ["no iterations", `a:$7$0$${SALT}$${HASH}`, "less than one iteration"],
    ["negative iterations", `a:$7$-5$${SALT}$${HASH}`, "less than one iteration"],
    ["iterations that would hold up everyone", `a:$7$100000000$${SALT}$${HASH}`, "more than 1000000 iterations"],
    ["iterations beyond any number", `a:$7$${"9".repeat(400)}$${SALT}$${HASH}`, "more than 1000000 iterations"],
    ["argon2id with much memory", `a:${argon("m=4194304,t=1,p=1")}`, "an m that is not"],
    ["argon2id with too little memory", `a:${argon("m=15,t=1,p=2")}`, "an m that is not"],
    ["argon2id with many passes", `a:${argon("m=64,t=11,p=1")}`, "a t that is not"],
    ["argon2id with many lanes", `a:${argon("m=4096,t=1,p=255")}`, "a p that is not"],
    ["argon2id with other parameters", `a:${argon("t=1,m=64,p=1")}`, "no m=, t= and p="],
    ["argon2id of another version", `a:${argon("m=64,t=1,p=1", undefined, "v=16")}`, "another version"],
    ["argon2id with a short salt", `a:${argon("m=64,t=1,p=1", "c29tZQ")}`, "its salt is no base64"],
    ["no name", `:${GOOD}`, "no user name"],
    ["blanks as the name", ` \t:${GOOD}`, "no user name"],
    ["a comment that is indented", ` # note: ${GOOD}`, "first column"],
    ["a name that is no UTF-8", `${Buffer.from([0x61, 0xff]).toString()}:${GOOD}`, "not UTF-8"],
    ["a name with a control character", `a\x1bb:${GOOD}`, "control character"],
    ["a name that no CONNECT can carry", `${"a".repeat(65536)}:${GOOD}`, "more than 65535 bytes"],
  ])("%s", (_, line, why) => {
    const text = `first:${GOOD}\n${line}\nlast:${GOOD}\n`;
    expect(names(text)).toEqual(["first", "last"]);
    const [fault, ...others] = faults(text);
    expect(others).toEqual([]);
    expect(fault).toStartWith("2: ");
    expect(fault).toContain(why);
    expect(fault).not.toContain("Secret1");
    expect(fault!.length).toBeLessThan(300);
  });
});

test("a name that is there twice is refused, whatever its lines are", () => {
  const other = GOOD.replace("$101$", "$102$");
  for (const lines of [
    [GOOD, other],
    [GOOD, "plain"],
    ["plain", GOOD],
    [GOOD, other, GOOD],
  ]) {
    const text = `${lines.map((each) => ` anna :${each}`).join("\n")}\nb0b:${GOOD}`;
    expect(names(text)).toEqual(["b0b"]);
    expect(faults(text).join("\n")).toContain('the user "anna" is there twice, first in line 1');
  }
});

test("a file of more users than the limit is refused, and one of countless bad lines keeps a hundred of them", () => {
  const lines = (count: number, hash: string) => Array.from({ length: count }, (_, at) => `u${at}:${hash}`).join("\n");
  expect(readPasswordFile(lines(MAX_USERS + 1, "x"))).toEqual({
    kind: "bad",
    message: "it has more than 100000 users",
  });
  const file = read(lines(1000, "x"));
  expect(file.faultCount).toBe(1000);
  expect(file.faults.length).toBe(100);
});

test("any bytes are read in one go, without an exception", () => {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const pieces = [
    "anna",
    ":",
    "$",
    "7",
    "6",
    "argon2id",
    "v=19",
    "m=1,t=1,p=1",
    SALT,
    HASH,
    "\n",
    "\r",
    "#",
    " ",
    "\0",
    "é",
  ];
  for (let round = 0; round < 5000; round++) {
    const text = Array.from({ length: random(30) }, () => pieces[random(pieces.length)]).join("");
    const file = read(text);
    expect(read(formatUsers(file.users)).users).toEqual(file.users);
  }
});
