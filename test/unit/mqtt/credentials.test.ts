// A user name and its password are checked without holding up the worker, and nobody learns which users there are.

import { describe, expect, test } from "bun:test";
import { Credentials } from "../../../src/mqtt/credentials.ts";
import { HashQueue } from "../../../src/mqtt/hash-queue.ts";
import { readPasswordFile } from "../../../src/mqtt/password-file.ts";
import type { PasswordHash } from "../../../src/mqtt/password-hash.ts";
import { partOf, readPart, splitUsers } from "../../../src/mqtt/user-parts.ts";

const GOOD =
  "$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==";
const SLOW = GOOD.replace("$101$", "$20000$");
const KEY = Buffer.from("key");
const TEA = Buffer.from("tea & sugar");

function usersOf(text: string): ReadonlyMap<string, PasswordHash> {
  const read = readPasswordFile(text);
  if (read.kind !== "ok") throw new Error(read.message);
  return read.file.users;
}

function credentialsOf(text: string, queue = new HashQueue()): Credentials {
  const { users, texts } = splitUsers(usersOf(text));
  return new Credentials(users, KEY, (part) => texts.get(part) ?? null, queue);
}

/** A queue that keeps what it is asked to do, and says that it went well. */
class Keeping extends HashQueue {
  readonly works: (() => Promise<boolean>)[] = [];
  override run(work: () => Promise<boolean>): Promise<boolean | "busy"> {
    this.works.push(work);
    return Promise.resolve(true);
  }
}

describe("credentials", () => {
  test("are right for a user and his password alone", async () => {
    const all = credentialsOf(`anna:${GOOD}\nslow:${SLOW}\nplain:tea & sugar`);
    expect(await all.verify("anna", TEA)).toBe("right");
    for (const [name, password] of [
      ["anna", "tea"],
      ["anna", ""],
      ["anna", "tea & sugar\0"],
      ["Anna", "tea & sugar"],
      ["anna ", "tea & sugar"],
      ["", "tea & sugar"],
      ["plain", "tea & sugar"],
      ["nobody", "tea & sugar"],
      ["anna:", "tea & sugar"],
      ["anna\nb0b", "tea & sugar"],
      ["__proto__", "tea & sugar"],
    ] as const)
      expect(await all.verify(name, Buffer.from(password))).toBe("wrong");
  });

  test("of a file without a sound line are wrong", async () => {
    expect(await credentialsOf("plain:tea & sugar").verify("plain", TEA)).toBe("wrong");
  });

  test("of a part that has not come are wrong", async () => {
    const { users } = splitUsers(usersOf(`anna:${GOOD}`));
    expect(await new Credentials(users, KEY, () => null, new HashQueue()).verify("anna", TEA)).toBe("wrong");
  });

  test("of an unknown user are hashed all the same, and are wrong whatever comes of it", async () => {
    const queue = new Keeping();
    const all = credentialsOf(`anna:${GOOD}`, queue);
    expect(await all.verify("nobody", TEA)).toBe("wrong");
    expect(queue.works.length).toBe(1);
    expect(await queue.works[0]!()).toBe(false);
  });
});

describe("unknown names", () => {
  const lines = (kind: string, hash: string, count: number) =>
    Array.from({ length: count }, (_, at) => `${kind}${at}:${hash}\n`).join("");
  const { users } = splitUsers(usersOf(lines("fast", GOOD, 90) + lines("slow", SLOW, 10)));
  const wayOf = (key: string, name: string): string => {
    const imitated = new Credentials(users, Buffer.from(key), () => null).imitated(name);
    return imitated?.kind === "pbkdf2" ? String(imitated.iterations) : "none";
  };
  const strangers = Array.from({ length: 300 }, (_, at) => `nobody${at}`);

  test("are hashed in the ways of the file, as often as the file has them", () => {
    const slow = strangers.filter((name) => wayOf("key", name) === "20000").length;
    expect(slow).toBeGreaterThan(10);
    expect(slow).toBeLessThan(70);
    expect(strangers.every((name) => ["101", "20000"].includes(wayOf("key", name)))).toBe(true);
  });

  test("are each hashed in one way, also when users come and go, and nobody outside knows in which", () => {
    const ways = strangers.map((name) => wayOf("key", name));
    expect(strangers.map((name) => wayOf("key", name))).toEqual(ways);
    const more = splitUsers(usersOf(lines("fast", GOOD, 93) + lines("slow", SLOW, 10))).users;
    const again = new Credentials(more, Buffer.from("key"), () => null);
    const changed = strangers.filter((name, at) => {
      const imitated = again.imitated(name);
      return imitated?.kind !== "pbkdf2" || String(imitated.iterations) !== ways[at];
    });
    expect(changed.length).toBeLessThan(10);
    expect(strangers.map((name) => wayOf("other", name))).not.toEqual(ways);
  });

  test("are imitated without the salts and digests of the file", () => {
    expect(JSON.stringify(users)).not.toContain(GOOD.split("$")[3]!);
    expect(JSON.stringify(users)).not.toContain(GOOD.split("$")[4]!);
  });
});

describe("the parts of a file", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, at) => `user-${at}:${GOOD}`);
  const split = (all: readonly string[]) => splitUsers(usersOf(all.join("\n")));

  test("hold every user once, each where its name leads to", () => {
    const { users, texts } = split(lines(5000));
    expect(users.count).toBe(5000);
    const found = users.parts.flatMap((part, at) => {
      const names = [...readPart(texts.get(part)!).keys()];
      expect(names.every((name) => partOf(name, users.parts.length) === at)).toBe(true);
      return names;
    });
    expect(found.sort()).toEqual(
      lines(5000)
        .map((line) => line.split(":")[0]!)
        .sort(),
    );
    for (const text of texts.values()) expect(text.length).toBeLessThan(32 * 1024);
  });

  test("stay as they are but for the one whose user has changed", () => {
    const [before, after] = [split(lines(5000)), split(lines(5000).with(77, `user-77:${SLOW}`))];
    expect([...after.texts.keys()].filter((part) => !before.texts.has(part)).length).toBe(1);
  });

  test("of no users are one, which is empty", () => {
    const { users, texts } = split([]);
    expect(users).toMatchObject({ count: 0, ways: [], parts: [expect.any(String)] });
    expect([...texts.values()]).toEqual([""]);
  });
});

describe("the queue", () => {
  const stays = () => false;

  /** Work that ends when it is told to. */
  function works() {
    const ends: ((isRight: boolean) => void)[] = [];
    return { ends, work: () => new Promise<boolean>((resolve) => void ends.push(resolve)) };
  }

  test("runs a few at a time, the others in their order, and those above its limit are told that it is busy", async () => {
    const { ends, work } = works();
    const queue = new HashQueue({ atOnce: 2, mostWaiting: 2, longestWaitMs: 1000 }, () => 0);
    const outcomes = [1, 2, 3, 4, 5].map(() => queue.run(work, stays));
    expect(await outcomes[4]).toBe("busy");
    expect(ends.length).toBe(2);
    ends[1]!(true);
    expect(await outcomes[1]).toBe(true);
    expect(ends.length).toBe(3);
    ends[0]!(false);
    ends[2]!(true);
    expect([await outcomes[0], await outcomes[2]]).toEqual([false, true]);
    ends[3]!(true);
    expect(await outcomes[3]).toBe(true);
    expect(queue.run(work, stays)).toBeInstanceOf(Promise);
    expect(ends.length).toBe(5);
  });

  test("tells a client that has waited for too long that it is busy, and hashes nothing for it", async () => {
    let now = 0;
    const { ends, work } = works();
    const queue = new HashQueue({ atOnce: 1, mostWaiting: 10, longestWaitMs: 1000 }, () => now);
    const [first, late] = [queue.run(work, stays), queue.run(work, stays)];
    now = 900;
    const inTime = queue.run(work, stays);
    now = 1001;
    ends[0]!(true);
    expect(await first).toBe(true);
    expect(await late).toBe("busy");
    ends[1]!(true);
    expect(await inTime).toBe(true);
  });

  test("hashes nothing for a client that has left before its turn", async () => {
    const { ends, work } = works();
    const queue = new HashQueue({ atOnce: 1, mostWaiting: 10, longestWaitMs: 1000 }, () => 0);
    const [first, left, last] = [queue.run(work, stays), queue.run(work, () => true), queue.run(work, stays)];
    ends[0]!(true);
    expect([await first, await left]).toEqual([true, "gone"]);
    ends[1]!(false);
    expect(await last).toBe(false);
  });

  test("has room for those who stay where others have left, however many these are", async () => {
    const { ends, work } = works();
    const queue = new HashQueue({ atOnce: 1, mostWaiting: 100, longestWaitMs: 1000 }, () => 0);
    const first = queue.run(work, stays);
    let areGone = false;
    const left = Array.from({ length: 99 }, () => queue.run(work, () => areGone));
    const stayed = queue.run(work, stays);
    expect(await queue.run(work, stays)).toBe("busy");
    areGone = true;
    const last = queue.run(work, stays);
    expect(new Set(await Promise.all(left))).toEqual(new Set(["gone"]));
    for (const [at, outcome] of [first, stayed, last].entries()) {
      ends[at]!(true);
      expect(await outcome).toBe(true);
    }
  });

  test("goes on after work that fails, which counts as busy", async () => {
    const queue = new HashQueue({ atOnce: 1, mostWaiting: 10, longestWaitMs: 1000 });
    const failing = queue.run(() => Promise.reject(new Error("no memory")), stays);
    const next = queue.run(() => Promise.resolve(true), stays);
    expect([await failing, await next]).toEqual(["busy", true]);
  });
});

test("the event loop turns while a slow password is hashed", async () => {
  const all = credentialsOf(`slow:${GOOD.replace("$101$", "$1000000$")}`);
  let isDone = false;
  let turns = 0;
  const done = Promise.resolve(all.verify("slow", TEA)).then(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  await done;
  expect(turns).toBeGreaterThan(10);
});
