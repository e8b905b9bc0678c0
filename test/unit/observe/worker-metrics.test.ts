// What a worker times is counted under the labels that say which it was, each series once.

import { expect, test } from "bun:test";
import { WorkerMetrics } from "../../../src/observe/worker-metrics.ts";
import type { Edge } from "../../../src/proxy/edge.ts";
import type { Target } from "../../../src/upstream/service.ts";

test("histograms have a series for each version, server and result", () => {
  const metrics = new WorkerMetrics(
    () => ({}) as Edge,
    { counts: { descriptors: 0, "local-ports": 0, "source-addresses": 0 } },
    () => 0,
  );
  for (const version of ["TLSv1.3", "TLSv1.2"])
    for (const resumed of [true, false, true]) metrics.handshake(version, resumed, 4);
  const target = { key: "s b:1", service: "s", server: { address: "b:1" } } as Target;
  metrics.dial(target, 1);
  metrics.dial(target, 1);
  metrics.authentication("password", 1);
  metrics.authentication("bad-credentials", 1);
  metrics.connect(1);
  metrics.loopDelay(1);
  const counts = metrics
    .histograms()
    .flatMap(({ values }) => values)
    .filter(({ metricName }) => metricName?.endsWith("_count"))
    .map(({ metricName, labels, value }) => [metricName!.replace(/^sluice_|_count$/g, ""), labels, value]);
  expect(counts).toEqual([
    ["tls_handshake_duration_seconds", { version: "TLSv1.3", resumed: "true" }, 2],
    ["tls_handshake_duration_seconds", { version: "TLSv1.3", resumed: "false" }, 1],
    ["tls_handshake_duration_seconds", { version: "TLSv1.2", resumed: "true" }, 2],
    ["tls_handshake_duration_seconds", { version: "TLSv1.2", resumed: "false" }, 1],
    ["mqtt_connect_wait_seconds", {}, 1],
    ["mqtt_authentication_duration_seconds", { result: "password" }, 1],
    ["mqtt_authentication_duration_seconds", { result: "bad-credentials" }, 1],
    ["dial_duration_seconds", { service: "s", server: "b:1" }, 2],
    ["event_loop_delay_seconds", {}, 1],
  ]);
});
