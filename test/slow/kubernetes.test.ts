// The manifests of deploy/kubernetes: they conform to Kubernetes' types, hold together, and the Sluice they describe runs.

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import type { Deployment, DeploymentSpec } from "kubernetes-types/apps/v1";
import type { ConfigMap, Container, PodSpec, Service } from "kubernetes-types/core/v1";
import { parse, parseAllDocuments } from "yaml";
import { Backend, greeting } from "../support/backend.ts";
import { Authority, type Pair } from "../support/certs.ts";
import { tlsClient } from "../support/clients.ts";
import { Command } from "../support/command.ts";
import { typeProblems } from "../support/conforms.ts";
import { ROOT, SLUICE } from "../support/sluice.ts";
import { exec, freePort, temporaryDirectory, waitFor } from "../support/tools.ts";

const TYPES = [
  'import type { Deployment } from "kubernetes-types/apps/v1";',
  'import type { ConfigMap, Service } from "kubernetes-types/core/v1";',
  'import type { PodDisruptionBudget } from "kubernetes-types/policy/v1";',
];
const authority = await Authority.create();
const issue = () => authority.issue({ names: ["mqtt.example.com"], notAfter: "20491231235959Z" });

type Resource = { readonly kind: string; readonly metadata: { readonly name: string } };

/** Puts files where a volume is mounted, as the kubelet does: behind ..data, a link that is swapped. */
function mount(path: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(path, { recursive: true });
  const version = `..${Math.random().toString(36).slice(2)}`;
  mkdirSync(join(path, version));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, version, name), text);
  symlinkSync(version, join(path, "..data_tmp"));
  renameSync(join(path, "..data_tmp"), join(path, "..data"));
  for (const name of Object.keys(files))
    try {
      symlinkSync(join("..data", name), join(path, name));
    } catch {} // it is there already
}

const secret = ({ cert, key }: Pair) => ({
  "tls.crt": readFileSync(cert, "utf8"),
  "tls.key": readFileSync(key, "utf8"),
});

for (const name of ["standalone", "sidecar"]) {
  const documents = parseAllDocuments(readFileSync(join(ROOT, `deploy/kubernetes/${name}.yml`), "utf8"));
  const resources = documents.map((document) => document.toJSON() as Resource);
  const of = <T>(kind: string) => resources.filter((each) => each.kind === kind) as unknown as T[];
  const { template, selector, replicas } = of<Deployment>("Deployment")[0]!.spec as DeploymentSpec;
  const pod = template.spec as PodSpec;
  const container = (wanted: string) => pod.containers.find((each) => each.name === wanted) as Container;
  const sluice = container("sluice");
  const configMap = (wanted: string) =>
    of<ConfigMap>("ConfigMap").find(({ metadata }) => metadata?.name === wanted)!.data!;
  const volume = (wanted: string) => pod.volumes!.find((each) => each.name === wanted)!;

  /** The container's file system below a directory, with paths and what `replace` names changed to fit; and its arguments. */
  const fileSystem = (pair: Pair, replace: Readonly<Record<string, string>> = {}) => {
    const root = temporaryDirectory();
    const paths = sluice.volumeMounts!.map(({ mountPath }) => mountPath).sort((a, b) => b.length - a.length);
    const within = (text: string) => {
      const moved = text.replace(new RegExp(`(?<![\\w/.])(?=(?:${paths.join("|")})(?![\\w-]))`, "g"), root);
      return Object.entries(replace).reduce((all, [from, to]) => {
        return all.replaceAll(from, to);
      }, moved);
    };
    for (const { name: mounted, mountPath } of sluice.volumeMounts!) {
      const source = volume(mounted);
      const files = source.configMap === undefined ? secret(pair) : configMap(source.configMap.name!);
      mount(
        join(root, mountPath),
        Object.fromEntries(Object.entries(files).map(([file, text]) => [file, within(text)])),
      );
    }
    return { root, args: sluice.args!.map(within) };
  };

  describe(name, () => {
    test("every resource conforms to Kubernetes' types, and a misspelt field would be found", async () => {
      const text = JSON.stringify(of("Deployment")[0]);
      const misspelt = [
        ["readinessProbe", "readynessProbe"],
        ["runAsNonRoot", "runAsNonroot"],
      ] as const;
      const broken = misspelt.map(([right, wrong]) => {
        expect(text).toContain(right);
        return { type: "Deployment", value: JSON.parse(text.replaceAll(right, wrong)) };
      });
      const claims = [...resources.map((value) => ({ type: value.kind, value })), ...broken];
      const problems = await typeProblems(TYPES, claims);
      expect(problems.slice(0, resources.length).join("")).toBe("");
      for (const [index, [, wrong]] of misspelt.entries()) expect(problems[resources.length + index]).toContain(wrong);
    }, 60_000);

    test("selectors, ports and volumes refer to what there is", () => {
      expect(template.metadata!.labels).toMatchObject(selector.matchLabels!);
      for (const service of of<Service>("Service")) {
        expect(template.metadata!.labels).toMatchObject(service.spec!.selector!);
        const ports = pod.containers.flatMap((each) => each.ports ?? []).map((port) => port.name);
        for (const port of service.spec!.ports!) expect(ports).toContain(String(port.targetPort));
      }
      for (const { volumeMounts } of pod.containers)
        for (const each of volumeMounts ?? []) {
          expect(volume(each.name)).toBeDefined();
          expect(each.subPath).toBeUndefined(); // such a file never changes
        }
      for (const each of pod.volumes!)
        if (each.configMap !== undefined) expect(configMap(each.configMap.name!)).toBeDefined();
      const names = resources.filter(({ kind }) => kind === "Service").map(({ metadata }) => metadata.name);
      expect(names.includes("sluice") && pod.enableServiceLinks !== false).toBe(false);
      expect(pod.enableServiceLinks).toBe(false);
    });

    test("the probes and Prometheus ask where Sluice answers", () => {
      const text = Object.values(of<ConfigMap>("ConfigMap").map(({ data }) => data!["sluice.yml"])).find(Boolean)!;
      const config = parse(text);
      const http = sluice.ports!.find((port) => port.name === "http")!.containerPort;
      expect(config.entryPoints.traefik.address).toBe(`:${http}`);
      expect(template.metadata!.annotations!["prometheus.io/port"]).toBe(String(http));
      for (const probe of [sluice.startupProbe, sluice.readinessProbe, sluice.livenessProbe])
        expect(probe!.httpGet).toEqual({ path: "/ping", port: "http" });
      expect(config.ping).toEqual({});
      expect(config.metrics).toEqual({ prometheus: {} });
    });

    test("nothing is killed before connections had their time", () => {
      const text = of<ConfigMap>("ConfigMap")
        .map(({ data }) => data!["sluice.yml"])
        .find(Boolean)!;
      const grace = Number.parseInt(parse(text).entryPoints.mqtts.transport.lifeCycle.graceTimeOut, 10);
      const sleep = (each: Container) => each.lifecycle!.preStop!.sleep!.seconds;
      const drained = sleep(sluice) + grace + 2; // a worker that hangs is killed 2 s after the grace time
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drained);
      for (const each of pod.containers) if (each !== sluice) expect(sleep(each)).toBeGreaterThanOrEqual(drained);
    });

    test("nothing runs as root or with rights that it does not need", () => {
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      expect(pod.automountServiceAccountToken).toBe(false);
      for (const { securityContext, resources: bounds } of pod.containers) {
        const context = { ...pod.securityContext, ...securityContext };
        expect(context.runAsUser).toBeGreaterThan(0);
        expect(context).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(bounds!.limits!.memory).toBeDefined();
        expect(bounds!.requests!.cpu).toBeDefined();
      }
    });

    test("the configuration passes check without a warning", async () => {
      const { root, args } = fileSystem(await issue());
      const check = [SLUICE, "check", ...args.filter((each) => each.startsWith("--"))];
      expect(await exec(check, { cwd: root })).toEqual({
        code: 0,
        stdout: "The configuration is sound.\n",
        stderr: "",
      });
    }, 60_000);

    test("the Sluice of the pod serves, answers its probe, takes a renewed secret over, and drains", async () => {
      const backend = await Backend.start("broker");
      const [port, http] = [await freePort(), await freePort()];
      const { root, args } = fileSystem(await issue(), {
        '":8883"': `"127.0.0.1:${port}"`,
        '":8080"': `"127.0.0.1:${http}"`,
        "mosquitto.default.svc.cluster.local:1883": `127.0.0.1:${backend.port}`,
        "port: 1883": `port: ${backend.port}`,
      });
      const command = new Command(args, { cwd: root });
      const ping = async () => (await fetch(`http://127.0.0.1:${http}/ping`).catch(() => null))?.status === 200;
      await waitFor("the startup probe", ping);
      const shown = async () => {
        const client = await tlsClient(port, { servername: "mqtt.example.com" });
        const { fingerprint256 } = (client as TLSSocket).getPeerCertificate();
        client.destroy();
        return fingerprint256;
      };
      const client = await tlsClient(port, {
        servername: "mqtt.example.com",
        ca: readFileSync(authority.cert, "utf8"),
      });
      const [first] = await new Promise<Buffer[]>((resolve) =>
        client.once("data", (chunk: Buffer) => resolve([chunk])),
      );
      expect(first!.toString()).toBe(greeting("broker"));

      const before = await shown();
      const certs = sluice.volumeMounts!.find((each) => each.name === "certs")!.mountPath;
      mount(join(root, certs), secret(await issue()));
      await waitFor("the renewed certificate", async () => (await shown()) !== before);

      command.process.kill("SIGTERM");
      await waitFor("the readiness probe to fail", async () => !(await ping()));
      client.end("bye");
      client.resume();
      expect((await command.ended()).code).toBe(0);
    }, 60_000);
  });

  test(`${name}: a lost node or a rollout leaves someone serving, where there are several`, () => {
    if ((replicas ?? 1) === 1) return;
    expect(of<Resource>("PodDisruptionBudget").length).toBe(1);
    expect(pod.topologySpreadConstraints!.length).toBe(1);
    expect(of<Deployment>("Deployment")[0]!.spec!.strategy!.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
  });
}

test("the sidecar's environment, which may stand in place of its files, is one that Sluice runs with", async () => {
  const text = readFileSync(join(ROOT, "deploy/kubernetes/sidecar.yml"), "utf8");
  const lines = [...text.matchAll(/^ +# {5}- (\{ name: SLUICE_.*\})$/gm)].map((match) => parse(match[1]!));
  const given = Object.fromEntries(lines.map(({ name, value }: { name: string; value: string }) => [name, value]));
  expect(Object.keys(given).length).toBeGreaterThan(4);
  const [root, port, http] = [temporaryDirectory(), await freePort(), await freePort()];
  mount(join(root, given.SLUICE_SIDECAR_CERTDIRECTORY!), secret(await issue()));
  const backend = await Backend.start("broker");
  const command = new Command([], {
    cwd: root,
    env: {
      ...given,
      SLUICE_SIDECAR: `127.0.0.1:${backend.port}`,
      SLUICE_SIDECAR_CERTDIRECTORY: join(root, given.SLUICE_SIDECAR_CERTDIRECTORY!),
      SLUICE_ENTRYPOINTS_TRAEFIK_ADDRESS: `127.0.0.1:${http}`,
      SLUICE_ENTRYPOINTS_MQTTS_ADDRESS: `127.0.0.1:${port}`,
      // What a Service called sluice would add, without enableServiceLinks: false.
      SLUICE_PORT: "tcp://10.0.0.1:8883",
      SLUICE_SERVICE_HOST: "10.0.0.1",
      SLUICE_PORT_8883_TCP_ADDR: "10.0.0.1",
    },
  });
  const page = async (path: string) => (await fetch(`http://127.0.0.1:${http}${path}`).catch(() => null))?.status;
  await waitFor("the startup probe", async () => {
    if (command.process.exitCode !== null) throw new Error(command.stderr);
    return (await page("/ping")) === 200;
  });
  expect(await page("/metrics")).toBe(200);
  const client = await tlsClient(port, { servername: "mqtt.example.com", ca: readFileSync(authority.cert, "utf8") });
  expect(String(await new Promise((resolve) => client.once("data", resolve)))).toBe(greeting("broker"));
  client.destroy();
  expect(await command.stop()).toBe(0);
});
