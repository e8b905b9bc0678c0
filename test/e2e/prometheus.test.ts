// What Sluice tells about itself reaches a real Prometheus, and what deploy/ makes of it (alert rules, dashboard) works there.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Compiled } from "../../src/compile/compile.ts";
import { MasterMetrics } from "../../src/observe/master-metrics.ts";
import { tlsClient } from "../support/clients.ts";
import { anyConnect } from "../support/connect-packet.ts";
import { echoEdge } from "../support/echo.ts";
import { opening } from "../support/first-packet.ts";
import { FULL } from "../support/full-size.ts";
import { anchors, metricRows, metricsIn, questions, results, rules } from "../support/observability.ts";
import { Prometheus, RULES_DIRECTORY } from "../support/prometheus.ts";
import { Sluice } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

/** Their series come with an event, or with a configuration, that the Sluice of this file does not have. */
const LATER = [
  "sluice_config_diagnostics",
  "sluice_acme_orders_total",
  "sluice_acme_certificate_not_after_timestamp_seconds",
  "sluice_acme_next_order_timestamp_seconds",
  "sluice_acme_last_error_timestamp_seconds",
  "sluice_tls_source_failing",
  "sluice_tls_source_errors_total",
  "sluice_tls_crl_this_update_timestamp_seconds",
  "sluice_tls_crl_next_update_timestamp_seconds",
  "sluice_server_name_servers",
  "sluice_server_name_failing",
  "sluice_server_name_lookups_total",
  "sluice_drain_connections",
  "sluice_removed_connections",
];
const SERVED = metricRows.map(({ name }) => name).filter((name) => !LATER.includes(name));

const { dynamic } = await echoEdge();
const dead = await freePort();
const passwords = join(temporaryDirectory(), "passwords");
// By mosquitto_passwd of 2.0.11.
const ANNA =
  "anna:$7$101$u47hh7ikTLQYZsxI$Luf3KO5HpJtPhOCI05dDenQX6tqqQIee+SWQqkeo9gqqJg9+drL4ir3FnzzhQOEiAvlBQTcjd5Jx7fkoksGNcQ==\n";
writeFileSync(passwords, ANNA);
const sluice = await Sluice.start({
  workers: 2,
  entryPoint: "    ban: { failures: 1000 }",
  dynamic: dynamic
    .replace("loadBalancer: {", "loadBalancer: { healthCheck: {},")
    .replace(
      "tcp:",
      `tcp:\n  middlewares: { gate: { mqttAuth: { passwordFile: ${passwords} } }, often: { rateLimit: { average: 1000 } } }`,
    )
    .replace(
      "routers: {",
      'routers: { gated: { rule: "HostSNI(`gated.example`)", service: dead, tls: {}, middlewares: [gate] }, dead: { rule: "HostSNI(`dead.example`)", service: dead, tls: {} },',
    )
    .replace(
      "services: {",
      `services: { dead: { loadBalancer: { sticky: { key: clientIP }, servers: [{ port: ${dead} }] } },`,
    ),
});
const prometheus = await Prometheus.start(`127.0.0.1:${sluice.adminPort}`);

/** A real connection that is relayed and stays open. */
const client = await tlsClient(sluice.port);
client.write("ping");
await new Promise((resolve) => client.once("data", resolve));
// One that ends, and one that reaches no server.
(await tlsClient(sluice.port)).resume().end();
// And one that a gate refuses.
await (await opening(sluice.port, "gated.example", anyConnect("a", { username: "nobody", password: "p" }))).closed();
const { reason } = await sluice.access(({ router }) => router === "echo@file");
(await tlsClient(sluice.port, { servername: "dead.example" })).resume(); // one that left would not be dialled for
await sluice.access(({ reason }) => reason === "dial-failed");

const value = async (expression: string) => {
  const { data } = await prometheus.query(expression);
  return data.result.length === 0 ? null : Number(data.result[0].value[1]);
};

describe("a real Prometheus", () => {
  test("has Sluice as a target that is up, without an error and without a warning in its own log", async () => {
    const target = await waitFor("a first scrape", async () => {
      const { data } = await prometheus.get("targets");
      const [only] = data.activeTargets;
      return only?.health === "unknown" ? null : only;
    });
    expect(target).toMatchObject({ health: "up", lastError: "", labels: { job: "sluice" } });
    expect(prometheus.complaints).toBe("");
  });

  test("has the figures of real connections", async () => {
    await waitFor("the open connection", async () => (await value("sum(sluice_entrypoint_open_connections)")) === 1);
    const ended = `sum(sluice_connections_total{result="${reason}"})`;
    await waitFor(`the one that ended by ${reason}`, async () => (await value(ended)) === 1);
    await waitFor(
      "the one without a server",
      async () => (await value('sum(sluice_connections_total{result="dial-failed"})')) === 1,
    );
    expect(await value('sluice_router_bytes_total{router="echo@file", direction="in"}')).toBe(4);
    expect(await value("sum(sluice_tls_handshake_duration_seconds_count)")).toBe(4);
    expect(await value('sluice_dial_errors_total{reason="refused"}')).toBe(1);
  });

  test("knows every metric of the table, by the type that the table says, and no other", async () => {
    const told = await waitFor("the metadata of all", async () => {
      const { data } = await prometheus.get("metadata");
      return SERVED.every((name) => name in data) ? data : null;
    });
    const types = Object.entries(told as Record<string, { type: string }[]>)
      .filter(([name]) => name.startsWith("sluice_"))
      .map(([name, [first]]) => `${name} ${first!.type}`);
    const expected = metricRows.map(({ name, type }) => `${name} ${type}`);
    expect(types.filter((each) => !expected.includes(each))).toEqual([]);
  });

  test("has the limits that figures run against, and they fit what runs", async () => {
    expect(await value("sluice_workers_configured")).toBe(2);
    expect(await value("sluice_workers")).toBe(2);
    const limits = readFileSync(`/proc/${sluice.masterPid}/limits`, "utf8");
    const descriptors = Number(/^Max open files\s+(\d+)/m.exec(limits)![1]);
    expect(await value('sluice_process_max_fds{process="worker"}')).toBe(2 * descriptors);
    expect(await value("sluice_connections_limit")).toBe(2 * Math.floor((descriptors - 200) / 2));
    expect(await value("sluice_config_last_reload_successful")).toBe(1);
    const started = await value("time() - sluice_start_time_seconds");
    expect(started).toBeGreaterThan(0);
    expect(started).toBeLessThan(600);
  });

  test("loads every alert rule without an error, and none fires for a healthy Sluice", async () => {
    const { data } = await waitFor("all rules to be evaluated", async () => {
      const answer = await prometheus.get("rules");
      const all = answer.data.groups.flatMap((group: { rules: { health: string }[] }) => group.rules);
      return all.every(({ health }: { health: string }) => health !== "unknown") ? answer : null;
    });
    const loaded = data.groups.flatMap(
      (group: { rules: { name: string; health: string; lastError?: string }[] }) => group.rules,
    );
    expect(loaded.map(({ name }: { name: string }) => name).sort()).toEqual(rules.map(({ alert }) => alert).sort());
    expect(loaded.filter(({ health }: { health: string }) => health !== "ok")).toEqual([]);
    const alerts = (await prometheus.get("alerts")).data.alerts;
    expect(alerts.filter(({ state }: { state: string }) => state === "firing")).toEqual([]);
  });

  test("raises the alert for a configuration that is refused, with its description filled in, and takes it back", async () => {
    const find = async () => {
      const { data } = await prometheus.get("alerts");
      return data.alerts.find(
        ({ labels }: { labels: { alertname: string } }) => labels.alertname === "SluiceReloadFailed",
      );
    };
    sluice.write("broken.yml", "tcp: { routers: { a: { rul: x } } }\n");
    const alert = await waitFor("the alert", find);
    expect(alert.annotations.summary).toBe(
      `127.0.0.1:${sluice.adminPort} refused the configuration that lies on its disk`,
    );
    sluice.write("broken.yml", "{}\n");
    await waitFor("the alert to go", async () => (await find()) === undefined);
  });

  for (const { where, expr } of questions)
    test(`answers the expression of ${where}`, async () => {
      const answer = await prometheus.query(expr);
      expect(answer).toMatchObject({ status: "success" });
      expect(answer.warnings ?? []).toEqual([]);
    });

  test("has data for every panel whose metrics need no special event", async () => {
    // Those are for stores of routes, and for clients that come again.
    const rare = [...LATER, "sluice_provider_up", "sluice_provider_last_success_timestamp_seconds"];
    rare.push("sluice_tls_sessions_offered_total");
    const panels = questions.filter(
      ({ where, expr }) => where.startsWith("panel ") && !metricsIn(expr).some((name) => rare.includes(name)),
    );
    // rate() needs a change between two scrapes, and where only what is above 0 is shown, a refusal just now.
    const always = panels.filter(({ expr }) => !/ > 0$/.test(expr));
    expect(always.length).toBeGreaterThan(30);
    for (const { where, expr } of always)
      await waitFor(`data for ${where}: ${expr}`, async () => (await prometheus.query(expr)).data.result.length > 0);
  });
});

describe("promtool", () => {
  // Its collector of garbage would take a third of the time.
  const promtool = (...args: string[]) =>
    exec(["promtool", ...args], { cwd: RULES_DIRECTORY, timeoutMs: 60_000, env: { GOGC: "400" } });

  test("has nothing to say against /metrics of a running Sluice, nor where resolvers, revocation lists and failing files add to it", async () => {
    const metrics = new MasterMetrics("test");
    const compiled = { certificates: [], revocations: [{ options: "devices", thisUpdate: 1, nextUpdate: 2 }] };
    metrics.reloaded(compiled as unknown as Compiled, true, [{ source: "a.crt" }] as never);
    metrics.diagnosed([{ counts: { error: new Map([["service-unknown", 1]]), warning: new Map() } }]);
    metrics.acmeStates([{ resolver: "le", names: ["a.example"], next: 1, notAfter: null }] as never);
    metrics.acmeResult("le", "failed");
    metrics.nameStates([{ name: "brokers.internal", servers: 3, isFailing: true, good: 1, failed: 1 }]);
    metrics.drainStates([
      { reason: "drained", about: { service: "s", server: "h:1" }, left: 1 },
      { reason: "removed", about: { router: "r" }, left: 1 },
    ]);
    const later = await metrics.render([], 0, 0, new Map());
    const ofMaster = LATER.filter((name) => metrics.describe().some((metric) => metric.name === name));
    for (const name of ofMaster) expect(later).toContain(`\n${name}{`);
    // Each family once: those of LATER with their series, all others as they run.
    const isLater = (family: string) => ofMaster.includes(/^# HELP (\S+)/.exec(family)?.[1] ?? "");
    const familiesOf = (text: string) => text.split(/^(?=# HELP )/m);
    const stdin = [
      ...familiesOf(await sluice.metrics()).filter((family) => !isLater(family)),
      ...familiesOf(later).filter(isLater),
    ]
      .map((family) => `${family.trimEnd()}\n`)
      .join("");
    for (const { name } of metricRows) expect(stdin).toContain(`# HELP ${name} `);
    expect(await exec(["promtool", "check", "metrics"], { stdin })).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("accepts the configuration, and the rules that it names", async () => {
    const { code, stdout } = await promtool("check", "config", "prometheus.yml");
    expect(code).toBe(0);
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  // promtool works through hours of samples for it: in test/long.
  test.if(FULL)("finds that each alert fires when it should, and only then", async () => {
    const { code, stdout, stderr } = await promtool("test", "rules", "alerts.test.yml");
    expect(code, stdout + stderr).toBe(0);
  });
});

describe("alert rules", () => {
  const tried = readFileSync(join(RULES_DIRECTORY, "alerts.test.yml"), "utf8");

  for (const { alert, labels, annotations } of rules)
    test(`${alert} is tried, says what to do, and leads to the documentation`, () => {
      expect(tried).toContain(`alertname="${alert}"`);
      expect(["critical", "warning"]).toContain(labels.severity);
      expect(annotations.summary.length).toBeGreaterThan(10);
      expect(annotations.description.length).toBeGreaterThan(80);
      const [page, anchor] = annotations.runbook.split("#");
      expect(page).toBe("docs/operations.md");
      expect(anchors).toContain(anchor!);
    });
});

describe("rules and dashboard ask for what there is", () => {
  const rowOf = (name: string) => metricRows.find((row) => row.name === name);

  for (const { where, expr } of questions)
    test(`${where}: metrics, labels and results`, () => {
      const names = metricsIn(expr);
      expect(names.filter((name) => rowOf(name) === undefined)).toEqual([]);
      const known = [
        ...names.flatMap((name) => rowOf(name)!.labels),
        "job",
        "instance",
        "le",
        "alertname",
        "alertstate",
      ];
      const asked = [
        ...[...expr.matchAll(/\b(?:by|on|ignoring|without) \(([^)]*)\)/g)].flatMap((match) => match[1]!.split(/, */)),
        ...[...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map((match) => match[1]!),
      ];
      expect(asked.filter((label) => !known.includes(label))).toEqual([]);
      for (const [, patterns] of expr.matchAll(/result[=!]~?"([^"]*)"/g)) {
        if (names.some((name) => ["sluice_acme_orders_total", "sluice_server_checks_total"].includes(name))) continue;
        const unknown = patterns!
          .split("|")
          .filter((each) => !results.some((result) => new RegExp(`^(?:${each})$`).test(result)));
        expect(unknown).toEqual([]);
      }
    });

  test("some of them ask for results by name", () => {
    expect(questions.filter(({ expr }) => /result[=!]~?"/.test(expr)).length).toBeGreaterThan(2);
  });

  test("every metric of the table is on the dashboard", () => {
    const shown = questions.filter(({ where }) => where.startsWith("panel ")).flatMap(({ expr }) => metricsIn(expr));
    const left = metricRows.map(({ name }) => name).filter((name) => !shown.includes(name));
    expect(left).toEqual(["sluice_acme_last_error_timestamp_seconds", "sluice_tls_crl_this_update_timestamp_seconds"]);
  });
});
