// What docs/guides/coming-from.md sets side by side does the same: with the other proxy and with Sluice each client is shown the same
// certificate, the same clients are refused, and a message goes through to a real broker. Traefik is in no package that can be had here:
// of its labels the names and values are compared, and Sluice's side is run.

import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { Authority, type Pair } from "../support/certs.ts";
import { place } from "../support/place.ts";
import type { Wish } from "../support/resident.ts";
import { ROOT, SLUICE } from "../support/sluice.ts";
import { cleanup, waitFor } from "../support/tools.ts";

const PAGE = readFileSync(join(ROOT, "docs/guides/coming-from.md"), "utf8");
const NAMES = ["mqtt", "factory", "office", "unknown"].map((name) => `${name}.example.com`);

/** How each proxy is started in the foreground, with its configuration from the page. */
const THEIRS: Readonly<Record<string, { readonly file: string; readonly command: string }>> = {
  haproxy: { file: "haproxy.cfg", command: "haproxy -f haproxy.cfg -db" },
  nginx: { file: "nginx.conf", command: `nginx -p "$PWD" -c nginx.conf -e stderr -g "daemon off; pid nginx.pid;"` },
  stunnel: { file: "stunnel.conf", command: "stunnel4 stunnel.conf" },
};

interface Section {
  /** 2 for a chapter of the page, 3 for a part of one. */
  readonly level: number;
  readonly title: string;
  readonly blocks: readonly { readonly kind: string; readonly what: string; readonly text: string }[];
}

/** The parts of the page, by their headings. */
const sections: Section[] = PAGE.split(/^(?=##+ )/m).map((text) => ({
  level: /^#+/.exec(text)![0].length,
  title: /^#+ (.+)$/m.exec(text)![1]!,
  blocks: [...text.matchAll(/^<!-- (shown|check): (\w+) -->\n```\w+\n([\s\S]*?)^```$/gm)].map(
    ([, kind, what, block]) => ({ kind: kind!, what: what!, text: block! }),
  ),
}));

const blockOf = ({ blocks }: Section, what: string) => blocks.find((block) => block.what === what)?.text ?? null;

const authority = await Authority.create();
const devices = await Authority.create("Device CA");
const device = await devices.issue({ names: ["device"], usage: "clientAuth" });
const stranger = await (await Authority.create("Other CA")).issue({ names: ["device"], usage: "clientAuth" });
const { directory, within, listens } = await place(SLUICE, `127.0.0.1 localhost mosquitto ${NAMES.join(" ")}\n`);
mkdirSync(join(directory, "certs"));
// Links to what npm start uses.
for (const name of ["config", "dynamic"]) rmSync(join(directory, name));
mkdirSync(join(directory, "dynamic"));
for (const name of NAMES.slice(0, 3)) {
  const { cert, key } = await authority.issue({ names: [name] });
  for (const [end, files] of Object.entries({ crt: [cert], key: [key], pem: [cert, key] }))
    writeFileSync(join(directory, `certs/${name}.${end}`), files.map((file) => readFileSync(file, "utf8")).join(""));
}
writeFileSync(join(directory, "certs/device-ca.crt"), readFileSync(devices.cert));
writeFileSync(join(directory, "sluice.yml"), blockOf(sections[0]!, "static")!);
const tls = (port: number, name: string) =>
  `listener ${port} 127.0.0.1\ncertfile certs/${name}.crt\nkeyfile certs/${name}.key\n`;
writeFileSync(
  join(directory, "mosquitto.conf"),
  `per_listener_settings false\nallow_anonymous true\nuser root\nlistener 1883 127.0.0.1\n${tls(8884, NAMES[1]!)}${tls(8885, NAMES[2]!)}`,
);
await start('PATH="$PATH:/usr/sbin"; exec mosquitto -c mosquitto.conf', [1883, 8884, 8885]);

/** Starts a program in that place. @returns how it is stopped. */
async function start(script: string, ports: readonly number[]): Promise<() => Promise<void>> {
  const child = Bun.spawn(within(script), { stdout: "ignore", stderr: "pipe" });
  const said = new Response(child.stderr).text();
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
  cleanup(stop);
  await waitFor(`${script} to listen`, async () => {
    if (child.exitCode !== null) throw new Error(`${script} ended: ${await said}`);
    return ports.every(listens);
  });
  return stop;
}

const resident = Bun.spawn(within(`exec "${process.execPath}" "${join(ROOT, "test/support/resident.ts")}"`), {
  stdio: ["pipe", "pipe", "inherit"],
});
cleanup(async () => {
  resident.kill("SIGKILL");
  await resident.exited;
});
const answers = new Map<number, unknown>();
void (async () => {
  let rest = "";
  for await (const chunk of resident.stdout) {
    const lines = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const { id, value } = JSON.parse(line);
      answers.set(id, value);
    }
  }
})();
let asked = 0;

type Unnumbered<T> = T extends Wish ? Omit<T, "id" | "port"> : never;

/** What the resident of that place finds on port 8883. */
async function ask<T>(wish: Unnumbered<Wish>): Promise<T> {
  const id = ++asked;
  resident.stdin.write(`${JSON.stringify({ ...wish, id, port: 8883 })}\n`);
  resident.stdin.flush();
  await waitFor(`the answer to ${JSON.stringify(wish)}`, () => {
    if (resident.exitCode !== null) throw new Error(`the client ended with ${resident.exitCode}`);
    return answers.has(id);
  });
  return answers.get(id) as T;
}

/** The fingerprint of the certificate that a client is shown; null when it is refused. */
const shown = (name: string | null) => ask<string | null>({ kind: "shown", name });

/** Whether a message arrives that is sent and received through the proxy. */
const carries = (name: string, identity: Pair | null, topic: string) =>
  ask<boolean>({ kind: "carries", name, ca: authority.cert, topic, ...(identity === null ? {} : { identity }) });

/** What every kind of client gets. */
async function outcome(side: string) {
  const asked = [...NAMES, null].map(async (name) => [name ?? "without SNI", await shown(name)] as const);
  const sent = [
    ...NAMES.map(async (name) => [name, await carries(name, null, `${side}-${name}`)] as const),
    ...Object.entries({ device, stranger }).map(
      async ([who, identity]) =>
        [`with the certificate of a ${who}`, await carries(NAMES[0]!, identity, `${side}-${who}`)] as const,
    ),
  ];
  return {
    certificates: Object.fromEntries(await Promise.all(asked)),
    messages: Object.fromEntries(await Promise.all(sent)),
  };
}

async function outcomeOf(side: "theirs" | "ours", script: string) {
  const stop = await start(script, [8883]);
  const result = await outcome(side);
  await stop();
  await waitFor("the port to be free", () => !listens(8883));
  return result;
}

async function ours(section: Section) {
  const command = blockOf(section, "sluice");
  if (command !== null) return outcomeOf("ours", `exec bin/${command.trim()}`);
  writeFileSync(join(directory, "dynamic/mqtt.yml"), blockOf(section, "dynamic")!);
  return outcomeOf("ours", "exec bin/sluice run sluice.yml");
}

describe("the same with", () => {
  for (const [index, section] of sections.entries()) {
    const proxy = section.blocks.find(({ what }) => what in THEIRS)?.what;
    if (proxy === undefined) continue;
    const chapter = sections.slice(0, index + 1).findLast(({ level }) => level === 2);
    test(`${chapter!.title}${chapter === section ? "" : `: ${section.title}`}`, async () => {
      const { file, command } = THEIRS[proxy]!;
      writeFileSync(join(directory, file), blockOf(section, proxy)!);
      const expected = await outcomeOf("theirs", `PATH="$PATH:/usr/sbin"; exec ${command}`);
      // It does something at all.
      expect(Object.values(expected.messages)).toContain(true);
      expect(await ours(section)).toEqual(expected);
    }, 120_000);
  }
});

describe("Traefik's labels", () => {
  const section = sections.find(({ title }) => title === "Traefik, in labels")!;
  const file = parse(blockOf(section, "dynamic")!);

  test("say the same as the file", () => {
    const { labels } = parse(blockOf(section, "labels")!).services.mosquitto as { labels: string[] };
    const said = Object.fromEntries(labels.map((label) => label.split(/=(.*)/).slice(0, 2)));
    const { mqtt } = file.tcp.routers;
    const [host, port] = file.tcp.services.mosquitto.loadBalancer.servers[0].address.split(":");
    expect(said).toEqual({
      "traefik.enable": "true",
      "traefik.tcp.routers.mqtt.entrypoints": mqtt.entryPoints.join(","),
      "traefik.tcp.routers.mqtt.rule": mqtt.rule,
      "traefik.tcp.routers.mqtt.tls": String(mqtt.tls !== undefined),
      "traefik.tcp.routers.mqtt.service": mqtt.service,
      "traefik.tcp.services.mosquitto.loadbalancer.server.port": port,
    });
    expect(host).toBe("mosquitto");
  });

  test("and the file does what they say: the name is terminated, and others are refused", async () => {
    const { certificates, messages } = await ours(section);
    expect(Object.keys(certificates).filter((name) => certificates[name] !== null)).toEqual(["mqtt.example.com"]);
    expect(messages["mqtt.example.com"]).toBe(true);
    expect(messages["unknown.example.com"]).toBe(false);
  }, 120_000);
});
