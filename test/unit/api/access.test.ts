// Who is let in to the API: by password, token, socket or nothing; by which name; and from whose page.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Question } from "../../../src/admin/server.ts";
import { Gatekeeper } from "../../../src/api/access.ts";
import { LockOut } from "../../../src/api/lock-out.ts";
import { type ApiConfig, api, type Role } from "../../../src/config/api.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

const BCRYPT = Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 4 });
/** As htpasswd writes it. */
const HTPASSWD = BCRYPT.replace("$2b$", "$2y$");
const TOKEN = "a-long-random-text";
const SHA256 = createHash("sha256").update(TOKEN).digest("hex");

interface Asked {
  readonly authorization?: string;
  readonly host?: string;
  readonly address?: string | null;
  readonly role?: Role;
  readonly changes?: boolean;
  readonly headers?: Question["headers"];
}

function keeper(config: object, lockOut?: LockOut) {
  const said: string[] = [];
  const gatekeeper = new Gatekeeper(
    api.parse(config) as ApiConfig,
    { onBadUsers: (message) => said.push(message), onLockedOut: (address) => said.push(`locked out: ${address}`) },
    lockOut,
  );
  const ask = async ({
    authorization,
    host = "localhost",
    address = "127.0.0.1",
    role = "viewer",
    changes = false,
    headers = {},
  }: Asked) => {
    const question = {
      method: changes ? "POST" : "GET",
      path: "/",
      query: new URLSearchParams(),
      host,
      address,
      body: Buffer.alloc(0),
      headers: { host, ...(authorization !== undefined && { authorization }), ...headers },
    };
    const access = await gatekeeper.admit(question, role, changes);
    return access.kind === "ok" ? `${access.who.name} ${access.who.role}` : access.answer.status!;
  };
  return { ask, said };
}

const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
const USERS = {
  users: { anna: { password: HTPASSWD, role: "operator" } },
  tokens: { script: { sha256: SHA256, role: "viewer" } },
};

describe("who somebody is", () => {
  test("without users everybody may look, and nothing more", async () => {
    const { ask } = keeper({});
    expect(await ask({})).toBe("anonymous viewer");
    expect(await ask({ role: "operator" })).toBe(403);
    expect(await keeper({ anonymous: "admin" }).ask({ role: "admin" })).toBe("anonymous admin");
  });

  test("with users or tokens, nobody is let in without", async () => {
    const { ask } = keeper(USERS);
    expect(await ask({})).toBe(401);
    expect(await ask({ authorization: basic("anna", "secret") })).toBe("anna operator");
    expect(await ask({ authorization: basic("anna", "secret"), role: "admin" })).toBe(403);
    expect(await ask({ authorization: `Bearer ${TOKEN}` })).toBe("script viewer");
    const wrong = [
      "Bearer x",
      "Basic",
      "Basic ~",
      basic("anna", ""),
      basic("bob", "secret"),
      basic("", "secret"),
      "",
      "x",
    ];
    for (const [index, authorization] of wrong.entries())
      expect(await ask({ authorization, address: `10.0.0.${index}` })).toBe(401);
  });

  test("whoever can open the Unix socket is admin, by whatever name", async () => {
    expect(await keeper(USERS).ask({ address: null, host: "evil.example", role: "admin", changes: true })).toBe(
      "socket admin",
    );
  });

  test("a file of users is read again when it changes; a bad line costs that user alone, and while it is gone they stay", async () => {
    const file = join(temporaryDirectory(), "users");
    writeFileSync(file, `# people\nanna:${HTPASSWD}\nbob:$apr1$x$y\n\nnobody\neve:${BCRYPT}\neve:${BCRYPT}\n`);
    const { ask, said } = keeper({ usersFile: file, usersFileRole: "admin" });
    expect(await ask({ authorization: basic("anna", "secret") })).toBe("anna admin");
    expect(await ask({ authorization: basic("bob", "secret") })).toBe(401);
    expect(await ask({ authorization: basic("eve", "secret") })).toBe(401);
    expect(said.map((line) => line.replace(/^.*:(\d+):.*$/, "$1"))).toEqual(["3", "5", "7"]);
    writeFileSync(file, `carl:${HTPASSWD}\n`);
    let address = 0;
    await waitFor("the new user", async () => {
      const answer = await ask({ authorization: basic("carl", "secret"), address: `10.0.1.${++address}` });
      return answer === "carl admin";
    });
    expect(await ask({ authorization: basic("anna", "secret"), address: "10.0.0.1" })).toBe(401);
  });
});

describe("who guesses", () => {
  test("an address is not listened to after five failures, also not with the right password, and others are", async () => {
    let now = 0;
    const { ask, said } = keeper(USERS, new LockOut(() => now));
    const wrong = () => ask({ authorization: basic("anna", "guess"), address: "10.0.0.9" });
    for (let round = 0; round < 5; round++) expect(await wrong()).toBe(401);
    expect(said).toEqual(["locked out: 10.0.0.9"]);
    expect(await ask({ authorization: basic("anna", "secret"), address: "10.0.0.9" })).toBe(429);
    expect(await ask({ authorization: `Bearer ${TOKEN}`, address: "::ffff:10.0.0.8" })).toBe("script viewer");
    now = 10 * 60_000 + 1;
    expect(await ask({ authorization: basic("anna", "secret"), address: "10.0.0.9" })).toBe("anna operator");
  });

  test("failures that are far apart lock nobody out, and a success forgets them", async () => {
    let now = 0;
    const lockOut = new LockOut(() => now);
    for (let round = 0; round < 20; round++) {
      now += 100_000;
      expect(lockOut.failed("10.0.0.9") && round < 3).toBe(false);
    }
    const other = new LockOut(() => now);
    for (let round = 0; round < 20; round++) {
      expect(other.failed("10.0.0.9")).toBe(false);
      if (round % 4 === 3) other.succeeded("10.0.0.9");
    }
  });

  test("addresses of one IPv6 customer are one, and the table of addresses is bounded", () => {
    const lockOut = new LockOut(() => 0);
    for (let round = 0; round < 5; round++) lockOut.failed(`2001:db8::${round}`);
    expect(lockOut.lockedFor("2001:db8::99")).toBeGreaterThan(0);
    for (let round = 0; round < 5000; round++) lockOut.failed(`10.1.${round >> 8}.${round & 255}`);
    expect(lockOut.lockedFor("2001:db8::99")).toBe(0);
  });
});

describe("whose page it is", () => {
  test("a foreign name in Host is refused: a page could have led it here", async () => {
    const { ask } = keeper({ hosts: ["Sluice.example"] });
    for (const host of ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "10.1.2.3", "sluice.example"])
      expect(await ask({ host: host.toLowerCase() })).toBe("anonymous viewer");
    for (const host of ["evil.example", "localhost.evil.example", "sluice.example.evil", "127.0.0.1.evil"])
      expect(await ask({ host })).toBe(421);
    // What makes no sense is nobody's name; programs may leave it out.
    expect(await ask({ host: "", headers: { host: "[" } })).toBe(421);
    expect(await ask({ host: "", headers: { host: undefined } })).toBe("anonymous viewer");
  });

  test("what changes something is refused where a page of another site has asked for it", async () => {
    const { ask } = keeper({ anonymous: "admin" });
    const change = (headers: Question["headers"]) => ask({ changes: true, role: "operator", headers });
    expect(await change({})).toBe("anonymous admin");
    expect(await change({ "sec-fetch-site": "same-origin", origin: "http://localhost" })).toBe("anonymous admin");
    expect(await change({ "sec-fetch-site": "none" })).toBe("anonymous admin");
    for (const site of ["cross-site", "same-site", "x"]) expect(await change({ "sec-fetch-site": site })).toBe(403);
    expect(await change({ origin: "http://localhost" })).toBe("anonymous admin");
    for (const origin of ["http://evil.example", "null", "http://localhost:1", "x"])
      expect(await change({ origin })).toBe(403);
    // Reading is not refused: another site's page cannot see the answer.
    expect(await ask({ headers: { "sec-fetch-site": "cross-site" } })).toBe("anonymous admin");
  });
});
