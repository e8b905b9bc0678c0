// The static configuration: what is fixed while Sluice runs, from a file and what is put over it.

import { suggestion } from "../text/spelling.ts";
import { checkAccessLog } from "./access-log.ts";
import { challengeEntryPoints, checkResolver } from "./acme.ts";
import { checkAdmission } from "./admission.ts";
import { checkApi } from "./api.ts";
import { checkBans } from "./ban.ts";
import { decode } from "./decode.ts";
import type { Diagnostics, Place } from "./diagnostics.ts";
import { checkOverlaps, type EntryPointConfig, toEntryPoint } from "./entry-points.ts";
import { applyFlags, type Flag, takesValue } from "./flags.ts";
import { isDynamic } from "./other-half.ts";
import { checkNamespaces } from "./providers/consul.ts";
import { checkDaemon } from "./providers/docker.ts";
import { checkHttp } from "./providers/http.ts";
import { checkRedis } from "./providers/redis.ts";
import { checkStore } from "./providers/store.ts";
import { checkProxyProtocol } from "./proxy-protocol.ts";
import { checkSidecar } from "./sidecar.ts";
import { type Path, readSource, type SourceFile } from "./source.ts";
import { type StaticValue, staticSchema } from "./static-schema.ts";
import { type Say, subjectAt } from "./subject.ts";
import { applyVariables, type Environment } from "./variables.ts";
import { checkWorkerSelection } from "./worker-selection.ts";

export interface StaticConfig extends Omit<StaticValue, "entryPoints" | "workers"> {
  /** The file, or what stands for it where there is none. */
  readonly file: string;
  /** Where a path of it stands. */
  at(...path: Path): Place;
  /** The same, or null for a default. */
  from(...path: Path): Place | null;
  readonly entryPoints: ReadonlyMap<string, EntryPointConfig>;
  readonly workers: number | "auto";
  /** As the schema gives it, to be printed. */
  readonly value: StaticValue;
}

/** What is put over the file: first the environment, then flags. */
export interface Overrides {
  readonly environment: Environment;
  readonly flags: readonly Flag[];
}

const NONE: Overrides = { environment: {}, flags: [] };

/** Whether a flag of the static configuration takes the argument that follows it. */
export function flagTakesValue(flag: Flag): boolean {
  return takesValue(staticSchema, flag);
}

/** Where the entry point "traefik" is when it is used and not defined. */
export const DEFAULT_ADMIN = "127.0.0.1:8080";
const DEFAULT_MQTTS = ":8883";

/** Decodes a static file's text and what is put over it. Every problem goes to `diagnostics`; null when one of them is an error. */
export function parseStatic(
  file: string,
  text: string,
  diagnostics: Diagnostics,
  overrides: Overrides = NONE,
): StaticConfig | null {
  const source = readSource(file, text, diagnostics, "static");
  if (source === null || isDynamic(staticSchema, source, diagnostics)) return null;
  applyVariables(staticSchema, source, overrides.environment, diagnostics);
  applyFlags(staticSchema, source, overrides.flags, diagnostics);
  completeSidecar(source);
  let decoded = decode(staticSchema, source, diagnostics);
  // What follows from a wrong value is not worth a second message.
  if (decoded === null || diagnostics.errors > 0) return null;
  if (addImplied(source, decoded.value)) decoded = decode(staticSchema, source, diagnostics)!;
  for (const lack of decoded.unsupported) {
    const message = `${lack.path.join(".")} ${lack.why}`;
    const about = subjectAt(lack.path);
    if (lack.effect === "warn") diagnostics.warn("field-ignored", lack.place, message, about);
    else diagnostics.error("field-unsupported", lack.place, message, about);
  }
  const { entryPoints, workers, ...rest } = decoded.value;
  const problem: Say = (code, path, message) => diagnostics.error(code, source.locate(path), message, subjectAt(path));
  const warn: Say = (code, path, message) => diagnostics.warn(code, source.locate(path), message, subjectAt(path));

  if (rest.log.format === "json" && rest.log.level === "panic") rest.log.level = "fatal";
  const { admins, challenges } = adminsOf(rest);
  const points = new Map<string, EntryPointConfig>();
  for (const [name, point] of Object.entries(entryPoints))
    points.set(name, toEntryPoint(name, point, admins.has(name)));
  for (const name of admins) {
    if (points.has(name) || challenges.has(name)) continue;
    problem(
      "entry-point-unknown",
      [...askerOf(rest, name), "entryPoint"],
      `the entry point "${name}" does not exist${suggestion(name, points.keys())}: define it under entryPoints, or leave the field out to use 127.0.0.1:8080`,
    );
  }
  if (![...points.values()].some((point) => !point.admin)) {
    problem(
      "entry-point-missing",
      ["entryPoints"],
      'no entry point for MQTT: add for example  entryPoints: { mqtts: { address: ":8883" } }',
    );
  }
  for (const [name, { acme }] of Object.entries(rest.certificatesResolvers))
    if (acme !== undefined) checkResolver(name, acme, points, problem, warn);
  checkOverlaps([...points.values()], rest.embeddedBroker?.address, problem);
  checkProxyProtocol(points.values(), problem, warn);
  checkWorkerSelection(points.values(), warn);
  checkBans(points.values(), problem, warn);
  checkAdmission(points.values(), (path) => source.find(path) !== null, problem, warn);
  checkAccessLog(rest.accessLog, problem);
  checkApi(rest.api, points, problem);
  checkSidecar(rest.sidecar, rest.developmentCertificate !== undefined, points.values(), problem);
  checkDaemon("docker", rest.providers.docker, problem, warn);
  checkDaemon("swarm", rest.providers.swarm, problem, warn);
  for (const name of ["etcd", "consul", "zooKeeper"] as const) checkStore(name, rest.providers[name], problem);
  checkNamespaces(rest.providers.consul, problem);
  checkRedis(rest.providers.redis, problem);
  checkHttp(rest.providers.http, problem);
  const files = rest.providers.file;
  if (files !== undefined && files.directory === undefined && files.filename === undefined) {
    problem("field-missing", ["providers", "file"], "providers.file needs a directory or a filename");
  }
  if (files?.directory !== undefined && files.filename !== undefined)
    warn(
      "fields-conflict",
      ["providers", "file", "filename"],
      "providers.file.filename is not read: the directory wins, as in Traefik",
    );
  if (diagnostics.errors > 0) return null;
  return {
    ...rest,
    file,
    at: (...path) => source.locate(path),
    from: (...path) => source.find(path),
    entryPoints: points,
    workers: workers.toLowerCase() === "auto" ? "auto" : Number(workers),
    value: decoded.value,
  };
}

/** The entry points that serve HTTP from the master; those for challenges alone also by themselves. */
function adminsOf({ metrics, ping, api, certificatesResolvers }: Omit<StaticValue, "entryPoints" | "workers">) {
  const challenges = challengeEntryPoints(certificatesResolvers);
  const admins = new Set([...challenges, metrics.prometheus?.entryPoint, ping?.entryPoint, api?.entryPoint]);
  admins.delete(undefined);
  return { admins: admins as ReadonlySet<string>, challenges };
}

/** Where the file asks for this entry point to serve something. */
function askerOf({ metrics, ping }: Pick<StaticValue, "metrics" | "ping">, name: string): string[] {
  if (metrics.prometheus?.entryPoint === name) return ["metrics", "prometheus"];
  return ping?.entryPoint === name ? ["ping"] : ["api"];
}

/** Beside a sidecar an entry point "mqtts" of which only other fields are set has the address that it would have without them. */
function completeSidecar(source: SourceFile): void {
  const path = ["entryPoints", "mqtts"];
  if (source.find(["sidecar"]) !== null && source.isMapping(path) && source.find([...path, "address"]) === null)
    source.set([...path, "address"], DEFAULT_MQTTS, source.locate(["sidecar", "address"]));
}

/** Puts into `source` what follows from the rest: an entry point that is used without being defined. @returns whether there was any. */
function addImplied(source: SourceFile, value: StaticValue): boolean {
  const { admins } = adminsOf(value);
  const names = Object.keys(value.entryPoints);
  const add = (name: string, address: string, ...because: Path) =>
    source.set(["entryPoints", name, "address"], address, source.locate(because));
  // Not over one whose name differs in case, which is probably meant.
  const taken = (name: string) => names.some((each) => each.toLowerCase() === name);
  const admin = admins.has("traefik") && !taken("traefik");
  if (admin) {
    add("traefik", DEFAULT_ADMIN, ...askerOf(value, "traefik"));
  }
  const mqtts = value.sidecar !== undefined && names.every((name) => admins.has(name)) && !taken("mqtts");
  if (mqtts) add("mqtts", DEFAULT_MQTTS, "sidecar", "address");
  return admin || mqtts;
}
