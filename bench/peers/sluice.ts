// Sluice itself: one worker, or one per core. The only file of bench/ that knows its configuration.
import { createHash } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CREDENTIALS } from "../mqtt.ts";
import { freePort, listening, startLogged, until } from "../proc.ts";
import { firstLine, type Peer, type PeerOptions, type Protection, type Running, running } from "./peer.ts";

const repository = join(import.meta.dir, "../..");
const ours = join(repository, "bin/sluice");

/** Metrics, access log and ping are on, as an operator has them; the log goes to stdout and from there to a file. */
function staticConfig(
  port: number,
  adminPort: number,
  directory: string,
  workers: 1 | "auto",
  protection: Protection | undefined,
): string {
  return `entryPoints:
  mqtts:
    address: "127.0.0.1:${port}"
${protection === undefined ? "" : admission(protection)}
  traefik: { address: "127.0.0.1:${adminPort}" }
providers:
  file: { directory: ${directory} }
metrics: { prometheus: {} }
ping: {}
accessLog: {}
log: { level: info, format: json }
workers: ${workers}
`;
}

/** Clients of the bench come from loopback addresses, which are trusted by default. */
function admission({ handshakes, connections, perSecond, failures }: Protection): string {
  const perAddress = `{ connections: ${connections}, rate: ${perSecond} }`;
  return `    admission: { trustedIPs: [], perAddress: ${perAddress}, handshakes: { rate: ${handshakes} } }
${failures === undefined ? "" : `    ban: { failures: ${failures}, window: 1m, time: 10m }`}`;
}

/** The route of the bench, `extraRoutes` and `extraCerts` beside it, and one route that changes with every reload. */
function dynamicConfig(o: PeerOptions, round: number): string {
  const tls = o.mode === "passthrough" ? "{ passthrough: true }" : "{}";
  const middlewares = o.gate ? ", middlewares: [connect, auth, identity]" : "";
  const router = (name: string, host: string): string =>
    `    ${name}: { rule: "HostSNI(\`${host}\`)", service: broker, tls: ${tls}${middlewares} }\n`;
  const routers = [router("mqtt", "localhost"), router("reloaded", `reload-${round}.bench.test`)];
  for (let i = 0; i < (o.extraRoutes ?? 0); i++) routers.push(router(`r${i}`, `r${i}.bench.test`));
  if (o.extraCerts) routers.push(router("certs", "*"));
  const ports = [...(o.deadServer === undefined ? [] : [o.deadServer]), o.backendPort];
  const servers = ports.map((port) => `{ address: "127.0.0.1:${port}" }`).join(", ");
  const leaf = o.certs.leaf[o.key];
  const added = o.addedCert && round > 0 ? [o.addedCert] : [];
  const certificates = [leaf, ...(o.extraCerts ?? []), ...added];
  const listed = certificates.map(({ cert, key }) => `    - { certFile: ${cert}, keyFile: ${key} }\n`).join("");
  return `tcp:
${o.gate ? gateMiddlewares(join(o.dir, "passwords")) : ""}  routers:
${routers.join("")}  services:
    broker: { loadBalancer: { servers: [ ${servers} ] } }
${o.mode === "passthrough" ? "" : `tls:\n  certificates:\n${listed}`}`;
}

/** Every middleware of MQTT, with all that CONNECT can be asked. The password is hashed once: what hashing costs is set by its file. */
function gateMiddlewares(passwordFile: string): string {
  return `  middlewares:
    connect:
      mqttConnect:
        versions: ["3.1.1", "5"]
        clientId: { pattern: "[a-z0-9:]+", maxLength: 64 }
        maxKeepAlive: 1h
        idleTimeout: keepAlive
    auth: { mqttAuth: { passwordFile: ${passwordFile}, stripPassword: true } }
    identity: { mqttIdentity: { username: "{mqtt.clientId}@{sni}" } }
`;
}

/** A password file of one user, as mosquitto_passwd -H sha512 writes it. */
function passwordLine({ username, password }: { username: string; password: string }): string {
  const salt = "saltsaltsalt";
  const hash = createHash("sha512").update(password).update(salt).digest("base64");
  return `${username}:$6$${Buffer.from(salt).toString("base64")}$${hash}\n`;
}

async function start(o: PeerOptions, binary: string, workers: 1 | "auto"): Promise<Running> {
  const port = await freePort();
  const adminPort = await freePort();
  // Not beside the log: the directory is watched, and its parent is too.
  const directory = join(o.dir, "config/dynamic");
  const file = join(o.dir, "config/sluice.yml");
  await mkdir(directory, { recursive: true });
  const publish = (round: number): void => {
    // Written aside and renamed, as editors and configuration tools do, so that no half file is ever seen.
    writeFileSync(join(o.dir, "bench.yml"), dynamicConfig(o, round));
    renameSync(join(o.dir, "bench.yml"), join(directory, "bench.yml"));
  };
  if (o.gate) writeFileSync(join(o.dir, "passwords"), passwordLine(CREDENTIALS));
  publish(0);
  writeFileSync(file, staticConfig(port, adminPort, directory, workers, o.protection));
  const program = startLogged([binary, "run", `--configFile=${file}`], {
    log: join(o.dir, "log"),
    cwd: repository,
    ...(workers === 1 && o.cpus && { cpus: o.cpus }),
  });
  const ping = `http://127.0.0.1:${adminPort}/ping`;
  const pings = (): Promise<boolean> =>
    fetch(ping).then(
      (answer) => answer.ok,
      () => false,
    );
  await until(pings, program, 120);
  await listening(port, program);
  // The first SIGTERM lets connections finish, the second does not.
  return { ...running(program, port, 2), reload: async (round) => publish(round) };
}

/** A build of Sluice as a peer; `workers` is its setting of that name. */
export function sluicePeer(name: string, binary: string, workers: 1 | "auto"): Peer {
  return {
    name,
    note: `workers: ${workers}, metrics and access log on`,
    modes: ["terminate", "passthrough"],
    tls: true,
    workers: workers === 1 ? "one" : "all",
    reloads: true,
    grows: true,
    version: () => firstLine([binary, "version"]),
    start: (options) => start(options, binary, workers),
  };
}

/** Sluice with one worker beside its master: what is compared with the other single-worker peers. */
export const sluice = sluicePeer("sluice", ours, 1);
/** Sluice with a worker per core. */
export const sluiceAll = sluicePeer("sluice-all", ours, "auto");
/** Another checkout or build beside it, to compare before with after: BENCH_BASE=/path/to/bin/sluice. */
export const sluiceBase = process.env.BENCH_BASE ? sluicePeer("sluice-base", process.env.BENCH_BASE, 1) : null;
