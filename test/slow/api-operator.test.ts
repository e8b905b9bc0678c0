// What operators see and do by the API, with real clients and a real broker: find a client, see why one was refused, close, drain, ban,
// trace, reload; and who may.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");

const dynamic = (ports: readonly number[]) => `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {}, middlewares: [read] } }
  services: { brokers: { loadBalancer: { servers: [${ports.map((port) => `{ address: "127.0.0.1:${port}" }`)}] } } }
  middlewares: { read: { mqttConnect: { clientId: { pattern: "dev-.*" } } } }
tls: { certificates: [ { certFile: ${pair.cert}, keyFile: ${pair.key} } ] }
`;

let sluice: Sluice;
let brokers: Mosquitto[];
beforeAll(async () => {
  brokers = [await Mosquitto.start(), await Mosquitto.start()];
  sluice = await Sluice.start({
    dynamic: dynamic(brokers.map(({ port }) => port)),
    workers: 2,
    entryPoint: "    ban: {}",
    extra: `api: { tokens: { view: { sha256: "${sha256("view")}" }, operate: { sha256: "${sha256("operate")}", role: operator }, admin: { sha256: "${sha256("admin")}", role: admin } } }`,
  });
});
afterAll(() => sluice.kill());

async function ask(method: string, path: string, { token = "admin", body }: { token?: string; body?: object } = {}) {
  const response = await fetch(`http://127.0.0.1:${sluice.adminPort}/api/sluice/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: text.startsWith("{") ? JSON.parse(text) : null };
}
const get = async (path: string) => (await ask("GET", path)).json;
const come = async (clientId: string) =>
  (await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId, reconnectPeriod: 0 })).mqtt;
const found = async (query: string): Promise<Record<string, unknown>[]> =>
  (await get(`connections?${query}`)).connections;

describe("connections", () => {
  test("are found by client id, address, network, server and any part of a name, over all workers", async () => {
    const clients = await Promise.all(["dev-a", "dev-b", "dev-c", "dev-d"].map(come));
    const [connection] = await waitFor("the client", async () => {
      const all = await found("clientId=dev-b");
      return all.length === 1 && all[0]!.step === "relay" ? all : null;
    });
    const { server } = connection!;
    expect({ ...connection }).toMatchObject({
      step: "relay",
      entryPoint: "mqtts",
      address: "127.0.0.1",
      sni: "localhost",
      router: "mqtt@file",
      service: "brokers@file",
      server: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      clientId: "dev-b",
      username: null,
      mqttVersion: "3.1.1",
      tlsVersion: "TLSv1.3",
      resumed: false,
      bytesIn: expect.any(Number),
    });
    expect(await get(`connections/${connection!.id}`)).toMatchObject({ clientId: "dev-b", id: connection!.id });
    const ids = async (query: string) => (await found(query)).map(({ clientId }) => clientId);
    expect(await ids("sort=clientId")).toEqual(["dev-a", "dev-b", "dev-c", "dev-d"]);
    expect(await ids("sort=clientId&direction=desc&address=127.0.0.0/8&limit=2")).toEqual(["dev-d", "dev-c"]);
    expect(await ids("search=DEV-C")).toEqual(["dev-c"]);
    expect(await ids("address=10.0.0.0/8")).toEqual([]);
    expect((await found(`server=${server}`)).length).toBeGreaterThan(0);
    for (const sort of ["since", "rate", "idle", "bytesIn", "bytesOut", "server"])
      expect((await found(`sort=${sort}`)).length).toBe(4);
    for (const bad of ["sort=x", "limit=0", "limit=1001", "after=x", "direction=up", "address=x"])
      expect((await ask("GET", `connections?${bad}`)).status).toBe(400);
    await Promise.all(clients.map((each) => each.endAsync()));
  });

  test("pages one after the other show each of them once", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `dev-page-${String(index).padStart(2, "0")}`);
    const clients = await Promise.all(names.map(come));
    for (const sort of ["clientId", "since", "server"]) {
      const seen: unknown[] = [];
      let after = "";
      for (;;) {
        const page = await get(`connections?search=dev-page&sort=${sort}&limit=5&after=${after}`);
        expect(page.matched).toBe(12);
        seen.push(...page.connections.map(({ clientId }: { clientId: string }) => clientId));
        if (page.next === null) break;
        after = page.next;
      }
      expect(seen.toSorted()).toEqual(names);
    }
    await Promise.all(clients.map((each) => each.endAsync()));
  });

  test("one is closed, or all of a client id, and the log says by whom and why; nothing closes all", async () => {
    const [one, other] = [await come("dev-one"), await come("dev-other")];
    const closed = (client: typeof one) => new Promise<void>((done) => client.once("close", () => done()));
    const [ends, endsToo] = [closed(one), closed(other)];
    const [{ id }] = (await waitFor("it", async () =>
      (await found("clientId=dev-one")).length === 1 ? found("clientId=dev-one") : null,
    )) as [{ id: string }];
    expect((await ask("DELETE", `connections/${id}`, { token: "view" })).status).toBe(403);
    expect((await ask("DELETE", `connections/${id}?reason=it%20floods`, { token: "operate" })).json).toEqual({
      closed: 1,
    });
    await ends;
    expect((await ask("DELETE", `connections/${id}`)).status).toBe(404);
    expect((await ask("POST", "connections/close", { body: {} })).status).toBe(400);
    expect((await ask("POST", "connections/close", { body: { clientid: "x" } })).status).toBe(400);
    expect((await ask("POST", "connections/close", { body: { clientId: "dev-other" } })).json).toEqual({ closed: 1 });
    await endsToo;
    await waitFor(
      "the access lines",
      () => sluice.accesses.filter(({ reason }) => reason === "closed-by-hand").length === 2,
    );
    const line = await waitFor("the line", () =>
      sluice.lines.find(({ msg, why }) => msg === "asked for by the API" && why === "it floods"),
    );
    expect(line).toMatchObject({
      who: "operate",
      what: `DELETE /api/sluice/connections/${id}`,
      status: 200,
      from: "127.0.0.1",
    });
  });
});

describe("refusals", () => {
  test("say who did not come in, and why", async () => {
    await come("wrong-name").then(
      () => expect.unreachable(),
      () => null,
    );
    const [refusal] = await waitFor("it", async () => {
      const { refusals } = await get("refusals?search=wrong-name");
      return refusals.length > 0 ? refusals : null;
    });
    expect(refusal).toMatchObject({
      reason: "client-id-not-allowed",
      clientId: "wrong-name",
      address: "127.0.0.1",
      sni: "localhost",
      entryPoint: "mqtts",
    });
    expect((await get("refusals?reason=no-such")).refusals).toEqual([]);
  });
});

describe("servers", () => {
  test("are drained and put back, and what is left is shown", async () => {
    const [first, second] = brokers.map(({ port }) => `127.0.0.1:${port}`);
    const path = `services/brokers%40file/servers/${encodeURIComponent(first!)}/drain`;
    expect((await ask("PUT", path, { token: "view", body: {} })).status).toBe(403);
    expect((await ask("PUT", path, { token: "operate", body: { connections: "close" } })).json).toEqual({ done: true });
    const look = async () => (await get("servers")).servers as Record<string, unknown>[];
    await waitFor("the drain", async () =>
      (await look()).some(({ address, drain }) => address === first && drain !== null),
    );
    const clients = await Promise.all(["dev-1", "dev-2", "dev-3"].map(come));
    await waitFor("all of them", async () => (await found(`server=${second}`)).length === 3);
    expect(await found(`server=${first}`)).toEqual([]);
    expect((await ask("DELETE", path)).json).toEqual({ done: true });
    expect((await ask("DELETE", path)).status).toBe(404);
    expect((await ask("PUT", "services/nothing%40file/servers/x/drain", { body: {} })).status).toBe(404);
    await Promise.all(clients.map((each) => each.endAsync()));
  });
});

describe("bans", () => {
  test("are made, listed and lifted by hand; where there are none, the answer says how to have some", async () => {
    expect((await ask("POST", "entrypoints/mqtts/bans", { body: { network: "192.0.2.7", time: "10m" } })).json).toEqual(
      { done: true },
    );
    expect((await get("bans")).bans).toMatchObject([
      { entryPoint: "mqtts", network: expect.stringContaining("192.0.2.7"), reason: "by-hand" },
    ]);
    expect((await ask("DELETE", "entrypoints/mqtts/bans/192.0.2.7")).json).toEqual({ done: true });
    expect((await ask("DELETE", "entrypoints/mqtts/bans/192.0.2.7")).status).toBe(404);
    expect((await ask("POST", "entrypoints/mqtts/bans", { body: { network: "x" } })).status).toBe(400);
    expect((await ask("POST", "entrypoints/mqtts/bans", { body: { network: "192.0.2.7", time: "soon" } })).status).toBe(
      400,
    );
    expect((await ask("POST", "entrypoints/traefik/bans", { body: { network: "192.0.2.7" } })).json.message).toContain(
      "ban: {}",
    );
  });
});

describe("the configuration", () => {
  test("each load is there with what it said and what has changed, and what is refused too", async () => {
    await sluice.reload(() =>
      sluice.write("dynamic.yml", dynamic(brokers.map(({ port }) => port)).replace("dev-.*", "dev-.+")),
    );
    const [load, first] = (await get("loads")).loads;
    expect(load).toMatchObject({
      result: "loaded",
      changed: [{ kind: "middleware", name: "read@file", change: "changed" }],
      changes: 1,
    });
    expect(first).toMatchObject({ result: "loaded", version: 1 });
    sluice.write("more.yml", "tcp: { routers: { a: {} } }\n");
    const refused = await waitFor("the refusal", async () => {
      const [newest] = (await get("loads")).loads;
      return newest.result === "refused" ? newest : null;
    });
    expect(refused.diagnostics[0]).toMatchObject({
      code: "rule-missing",
      place: { line: 1 },
      about: { kind: "router", name: "a@file" },
    });
    expect((await get("providers")).providers).toMatchObject([{ name: "file" }]);
    rmSync(join(sluice.dynamicDirectory, "more.yml"));
    await waitFor("it to be mended", async () => (await get("loads")).loads[0].result === "loaded");
  });

  test("a dry run says what explain says, and changes nothing", async () => {
    const { json } = await ask("POST", "explain", {
      token: "view",
      body: { sni: "localhost", from: "10.0.0.1", clientId: "dev-x" },
    });
    expect(json.served).toBe(true);
    expect(json.text.join("\n")).toContain("mqtt@file");
    expect((await ask("POST", "explain", { body: { from: "x" } })).json.message).toContain("is no IP address");
    expect((await ask("POST", "explain", { body: { entryPoint: "x" } })).status).toBe(404);
    expect((await ask("POST", "explain", { body: { sin: "localhost" } })).status).toBe(400);
  });

  test("the values in force are shown, the secrets among them covered", async () => {
    const { value, limits } = await get("configuration");
    expect(value.entryPoints.mqtts.address).toBe(`127.0.0.1:${sluice.port}`);
    expect(limits).toMatchObject({ workers: 2 });
    expect((await get("processes")).processes.map(({ role }: { role: string }) => role)).toEqual([
      "master",
      "worker",
      "worker",
    ]);
    expect((await get("certificates")).certificates).toMatchObject([
      { names: ["localhost"], source: pair.cert, resolver: null, status: "warning" },
    ]);
    const { figures } = await get("figures?names=sluice_entrypoint_open_connections");
    expect(figures).toMatchObject([{ name: "sluice_entrypoint_open_connections", labels: { entrypoint: "mqtts" } }]);
  });

  test("a reload is for admins alone, and a certificate from a file is not renewed here", async () => {
    expect((await ask("POST", "reload", { token: "operate" })).status).toBe(403);
    const before = (await get("loads")).loads.length;
    expect((await ask("POST", "reload")).json).toEqual({ done: true });
    await waitFor("a load", async () => (await get("loads")).loads.length > before);
    expect((await ask("POST", "certificates/localhost/renew")).json.message).toContain("renewed there");
  });
});

describe("the log", () => {
  test("a client is traced step by step, by its id or its address, in whichever worker it lands", async () => {
    const steps = () => sluice.lines.filter(({ msg }) => msg === "trace");
    expect((await ask("PUT", "log/trace", { token: "operate", body: { clients: [] } })).status).toBe(403);
    await ask("PUT", "log/trace", { body: { clients: [{ by: "clientId", value: "dev-traced" }] } });
    await (await come("dev-not-traced")).endAsync();
    for (let round = 0; round < 4; round++) await (await come("dev-traced")).endAsync();
    await waitFor("four ends", () => steps().filter(({ step }) => step === "end").length === 4);
    expect(new Set(steps().map(({ clientId }) => clientId))).toEqual(new Set(["dev-traced"]));
    expect(steps().map(({ step }) => step)).toContain("relay");
    await ask("PUT", "log/trace", { body: { clients: [{ by: "address", value: "127.0.0.1" }] } });
    await (await come("dev-other")).endAsync();
    await waitFor("all its steps", () =>
      steps().some(({ step, clientId }) => step === "handshake" && clientId === undefined),
    );
    expect((await get("log")).traced).toEqual([{ by: "address", value: "127.0.0.1" }]);
    await ask("PUT", "log/trace", { body: { clients: [] } });
  });

  test("its level changes for all processes, and back", async () => {
    expect((await get("log")).level).toBe("debug");
    expect((await ask("PUT", "log/level", { body: { level: "error" } })).json).toEqual({ done: true });
    expect((await get("log")).level).toBe("error");
    expect((await ask("PUT", "log/level", { body: { level: "loud" } })).status).toBe(400);
    await ask("PUT", "log/level", { body: { level: "debug" } });
  });

  test("who asks for the head of a stream alone has its answer", async () => {
    const head = await fetch(`http://127.0.0.1:${sluice.adminPort}/api/sluice/events/stream`, {
      method: "HEAD",
      headers: { authorization: "Bearer view" },
    });
    expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  });

  test("events are told as they happen, also to one who comes again, whatever the level of the log is", async () => {
    await ask("PUT", "log/level", { body: { level: "error" } });
    const { events } = await get("events");
    const last = events.at(-1).id;
    const stream = await fetch(`http://127.0.0.1:${sluice.adminPort}/api/sluice/events/stream`, {
      headers: { authorization: "Bearer view", "last-event-id": String(last - 1) },
    });
    expect(stream.headers.get("content-type")).toBe("text/event-stream");
    let text = "";
    const reader = stream.body!.getReader();
    const reading = (async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += Buffer.from(value).toString();
      }
    })().catch(() => {});
    await waitFor("the one that came before", () => text.includes(`id: ${last}\n`));
    await ask("PUT", "log/level?reason=back", { body: { level: "debug" } });
    await waitFor("a new one", () => text.includes('"why":"back"'));
    await reader.cancel();
    await reading;
    expect((await get("events?search=no-such-thing")).events).toEqual([]);
  });
});

test("what is put into a body is JSON by its type, and what makes no sense is said", async () => {
  const put = (headers: Record<string, string>, body: string) =>
    fetch(`http://127.0.0.1:${sluice.adminPort}/api/sluice/log/level`, {
      method: "PUT",
      headers: { authorization: "Bearer admin", ...headers },
      body,
    }).then(async (response) => [response.status, (await response.text()).slice(0, 60)]);
  expect((await put({ "content-type": "text/plain" }, "{}"))[0]).toBe(415);
  expect((await put({ "content-type": "application/json" }, "{"))[0]).toBe(400);
  expect((await put({ "content-type": "application/json" }, " ".repeat(100_000)))[0]).toBe(413);
  expect((await ask("PATCH", "log/level")).status).toBe(405);
});
