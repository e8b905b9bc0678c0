// The API of a running Sluice: Traefik's paths and shapes, paging, errors, who is let in, and that it is what its description says.

import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { SLUICE, Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["a.test", "c.test", "127.0.0.1", "::1"] });

const DYNAMIC = `
tcp:
  routers:
    a: { rule: "HostSNI(\`a.test\`)", service: s, tls: {}, middlewares: [office], entryPoints: [mqtts] }
    b: { rule: "HostSNI(\`b.test\`)", service: missing, tls: { passthrough: true } }
    c: { rule: "HostSNI(\`c.test\`)", service: s, tls: {}, priority: 7, entryPoints: [mqtts, nowhere] }
  services:
    s: { loadBalancer: { servers: [ { address: "127.0.0.1:1" } ] } }
    unused: { weighted: { services: [ { name: s, weight: 3 } ] } }
  middlewares:
    office: { ipAllowList: { sourceRange: [127.0.0.1/32] } }
    secret: { mqttIdentity: { password: hidden-password } }
tls: { certificates: [ { certFile: ${pair.cert}, keyFile: ${pair.key} } ] }
`;

let sluice: Sluice;
beforeAll(async () => {
  sluice = await Sluice.start({ dynamic: DYNAMIC, extra: "api: { socket: api.sock }" });
});

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${sluice.adminPort}${path}`, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : null,
  };
}
const get = async (path: string) => (await ask(path)).json;

describe("Traefik's shapes", () => {
  test("version and overview, with HTTP and UDP as zeros", async () => {
    expect(await get("/api/version")).toEqual({
      Version: expect.any(String),
      Codename: expect.any(String),
      startDate: expect.any(String),
    });
    const none = { total: 0, warnings: 0, errors: 0 };
    expect(await get("/api/overview")).toEqual({
      http: { routers: none, services: none, middlewares: none },
      tcp: {
        routers: { total: 3, warnings: 1, errors: 1 },
        services: { total: 2, warnings: 0, errors: 0 },
        middlewares: { total: 2, warnings: 0, errors: 0 },
      },
      udp: { routers: none, services: none },
      // It has 20 days left.
      certificates: { total: 1, warnings: 1, errors: 0 },
      features: { tracing: "", metrics: "Prometheus", accessLog: true },
      providers: ["File"],
    });
  });

  test("routers: what is in force under full names, what is wrong, and on which entry points", async () => {
    const [a, b, c] = await get("/api/tcp/routers");
    expect(a).toEqual({
      entryPoints: ["mqtts"],
      middlewares: ["office@file"],
      service: "s",
      rule: "HostSNI(`a.test`)",
      priority: 17,
      tls: { passthrough: false },
      status: "enabled",
      using: ["mqtts"],
      name: "a@file",
      provider: "file",
      priorityStr: "17",
    });
    expect(b).toMatchObject({
      status: "disabled",
      error: [expect.stringContaining('"missing" does not exist')],
      tls: { passthrough: true },
    });
    expect(c).toMatchObject({
      status: "warning",
      using: ["mqtts"],
      priority: 7,
      error: [expect.stringContaining("nowhere")],
    });
    expect(await get("/api/tcp/routers/a%40file")).toEqual(a);
  });

  test("services: who uses them and how their servers are; middlewares: their kind, and no secret of theirs", async () => {
    expect(await get("/api/tcp/services/s%40file")).toMatchObject({
      loadBalancer: { servers: [{ address: "127.0.0.1:1" }] },
      status: "enabled",
      usedBy: ["a@file", "c@file"],
      type: "loadbalancer",
      serverStatus: { "127.0.0.1:1": "UP" },
    });
    expect(await get("/api/tcp/services/unused%40file")).toMatchObject({
      type: "weighted",
      weighted: { services: [{ name: "s", weight: 3 }] },
    });
    expect(await get("/api/tcp/middlewares/office@file")).toEqual({
      ipAllowList: { sourceRange: ["127.0.0.1/32"] },
      status: "enabled",
      usedBy: ["a@file"],
      name: "office@file",
      provider: "file",
      type: "ipallowlist",
    });
    for (const path of ["/api/tcp/middlewares", "/api/rawdata"])
      expect((await ask(path)).text).not.toContain("hidden-password");
  });

  test("certificates: what is in them, never a key", async () => {
    const [certificate] = await get("/api/certificates");
    expect(certificate).toMatchObject({
      sans: ["127.0.0.1", "::1", "a.test", "c.test"],
      keyType: "ECDSA",
      keySize: 256,
      version: "v3",
      status: "warning",
    });
    expect(certificate.name).toMatch(/^[\da-f]{64}$/);
    expect(certificate.serialNumber).toMatch(/^\d+$/);
    expect(await get(`/api/certificates/${certificate.name}`)).toEqual(certificate);
    expect((await ask("/api/rawdata")).text).not.toContain("PRIVATE");
  });

  test("rawdata has everything by name, and nothing that is empty", async () => {
    const raw = await get("/api/rawdata");
    expect(Object.keys(raw)).toEqual(["tcpRouters", "tcpMiddlewares", "tcpServices"]);
    expect(raw.tcpRouters["a@file"]).not.toHaveProperty("name");
    expect(raw.tcpServices["s@file"]).toHaveProperty("serverStatus");
  });
});

describe("lists", () => {
  const names = async (query: string) =>
    ((await get(`/api/tcp/routers?${query}`)) as { name: string }[])
      .map(({ name }) => name.replace("@file", ""))
      .join("");

  test("are searched, filtered and sorted, equal ones by name", async () => {
    expect(await names("search=B.TEST")).toBe("b");
    expect(await names("status=Disabled")).toBe("b");
    expect(await names("status=nonsense")).toBe("");
    expect(await names("serviceName=s@file")).toBe("ac");
    expect(await names("middlewareName=office@file")).toBe("a");
    expect(await names("middlewareName=office")).toBe("");
    expect(await names("sortBy=priority")).toBe("cab");
    expect(await names("sortBy=priority&direction=desc")).toBe("bac");
    expect(await names("sortBy=unknown&direction=asc")).toBe("abc");
  });

  test("come in pages, whose header says which one is next, and 1 behind the last", async () => {
    const pageOf = async (query: string) => {
      const { status, headers, json } = await ask(`/api/tcp/routers?${query}`);
      return [status, headers.get("x-next-page"), json.length ?? json.message];
    };
    expect(await pageOf("per_page=2")).toEqual([200, "2", 2]);
    expect(await pageOf("per_page=2&page=2")).toEqual([200, "1", 1]);
    expect(await pageOf("page=9")).toEqual([400, null, "invalid request: page: 9, per_page: 100"]);
    expect(await pageOf("page=0")).toEqual([400, null, "invalid request: page: 0"]);
    expect(await pageOf("per_page=x")).toEqual([400, null, "invalid request: per_page: x"]);
    expect((await ask("/api/http/routers")).text).toBe("[]\n");
  });
});

describe("what cannot be answered", () => {
  test("is said in JSON, with the status that fits", async () => {
    for (const [path, status, message] of [
      ["/api/tcp/routers/x@file", 404, "router not found: x@file"],
      ["/api/tcp/services/x@file", 404, "service not found: x@file"],
      ["/api/entrypoints/x", 404, "entry point not found: x"],
      ["/api/certificates/00", 404, "certificate not found: 00"],
      ["/api/nothing", 404, "there is nothing at /api/nothing"],
      ["/api/tcp/routers/%E0%A4%A", 400, 'unable to decode name "%E0%A4%A"'],
    ] as const) {
      const answer = await ask(path);
      expect([answer.status, answer.json]).toEqual([status, { message }]);
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect((await ask("/api/version", { method: "POST" })).status).toBe(405);
    expect((await ask("/api/version", { headers: { host: "evil.example" } })).status).toBe(421);
  });
});

test("its description is OpenAPI 3.1, and what each path answers is what it says", async () => {
  const description = await get("/api/sluice/openapi.json");
  expect(description.openapi).toBe("3.1.0");
  const ajv = new Ajv({ strict: false, formats: { "date-time": true, uri: true } });
  const seen: string[] = [];
  for (const [path, { get: operation }] of Object.entries<{
    get?: { responses: Record<string, { content: Record<string, { schema: object }> }> };
  }>(description.paths)) {
    const schema = operation?.responses["200"]?.content["application/json"]?.schema;
    if (schema === undefined || path.includes("{")) continue;
    const valid = ajv.validate(schema, await get(path));
    expect([path, valid, ajv.errorsText()]).toEqual([path, true, "No errors"]);
    seen.push(path);
  }
  expect(seen).toContain("/api/tcp/routers");
});

test("the Unix socket is the owner's alone, takes the place of one that a killed Sluice has left, and is gone after the end", async () => {
  const path = join(sluice.directory, "api.sock");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const response = await fetch("http://localhost/api/version", { unix: path });
  expect(response.status).toBe(200);
  const second = await exec(
    [
      SLUICE,
      "run",
      `--configFile=${sluice.directory}/sluice.yml`,
      "--entryPoints.mqtts.address=127.0.0.1:0",
      "--entryPoints.traefik.address=127.0.0.1:0",
    ],
    { cwd: sluice.directory },
  );
  expect(second.stderr + second.stdout).toContain("another process listens on");
  sluice.process.kill("SIGKILL");
  await sluice.process.exited;
  expect(existsSync(path)).toBe(true);
  const next = await Sluice.start({ dynamic: DYNAMIC, extra: `api: { socket: "${path}" }` });
  expect((await fetch("http://localhost/api/version", { unix: path })).status).toBe(200);
  await next.stop();
  expect(existsSync(path)).toBe(false);
});

describe("an API that would be open to others", () => {
  test("does not start, and check says why", async () => {
    const cwd = temporaryDirectory();
    const file = join(cwd, "sluice.yml");
    const check = async (api: string) => {
      await Bun.write(
        file,
        `entryPoints: { mqtts: { address: ":8883" }, traefik: { address: ":8080" } }\nsidecar: 127.0.0.1:1883\ndevelopmentCertificate: {}\napi: ${api}\n`,
      );
      const { stdout, stderr } = await sluiceCli(["check", `--configFile=${file}`], { cwd });
      return stdout + stderr;
    };
    expect(await check("{}")).toContain("[api-open]");
    expect(await check(`{ tokens: { t: { sha256: "${"0".repeat(64)}" } }, anonymous: viewer }`)).toContain(
      "[api-open]",
    );
    expect(await check(`{ tokens: { t: { sha256: "${"0".repeat(64)}" } } }`)).not.toContain("[api-open]");
    expect(await check("{ users: { a: { password: plain } } }")).toContain("its password is not hashed");
    expect(await check('{ users: { a: { password: "$apr1$x$y" } } }')).toContain("use htpasswd -B");
  });
});
