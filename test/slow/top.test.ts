// sluice top in a real terminal (tmux), against a running Sluice with a broker and clients: a client is found and closed after a
// question, a server is drained and put back, and the terminal is as it was at every end.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Authority } from "../support/certs.ts";
import { sluiceCli } from "../support/cli.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { SLUICE, Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });

let sluice: Sluice;
let broker: Mosquitto;
/** tmux with a server of its own. */
const socket = join(temporaryDirectory(), "tmux");
const tmux = async (...args: string[]) => (await exec(["tmux", "-S", socket, "-f", "/dev/null", ...args])).stdout;
const seen = () => tmux("capture-pane", "-p");
const shows = (what: string | RegExp) =>
  waitFor(`the screen with ${what}`, async () => {
    const screen = await seen();
    return (typeof what === "string" ? screen.includes(what) : what.test(screen)) ? screen : null;
  });
const type = (...keys: string[]) => tmux("send-keys", ...keys);
/** Words of a shell; what it prints when they have ended stands on the screen. */
const run = (...more: string[]) =>
  type(`${SLUICE} top --configFile=${sluice.directory}/sluice.yml ${more.join(" ")}; echo "ended with $?."`, "Enter");

beforeAll(async () => {
  broker = await Mosquitto.start();
  sluice = await Sluice.start({
    dynamic: `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {}, middlewares: [read] } }
  services: { brokers: { loadBalancer: { servers: [ { address: "127.0.0.1:${broker.port}" } ] } } }
  middlewares: { read: { mqttConnect: { clientId: { pattern: "dev-.*" } } } }
tls: { certificates: [ { certFile: ${pair.cert}, keyFile: ${pair.key} } ] }
`,
    extra: "api: { socket: api.sock }",
  });
  const start = ["-c", sluice.directory, "env", "PS1=here> ", "LANG=C.UTF-8", "bash", "--norc", "--noprofile"];
  await tmux("new-session", "-d", "-x", "80", "-y", "24", ...start);
  await shows("here>");
});
afterAll(async () => {
  await tmux("kill-server");
  sluice.kill();
});

const come = async (clientId: string) => {
  const { mqtt } = await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId, reconnectPeriod: 0 });
  return { mqtt, closed: new Promise<void>((done) => mqtt.once("close", () => done())) };
};

test("a client is found as it is typed and closed after a question, a server is drained and put back", async () => {
  const [first] = [await come("dev-one"), await come("dev-two")];
  await run();
  await shows(/\[1 Overview\][\s\S]*open +2 /);
  await type("2");
  await shows(/2 \/ 2 found of 2 open/);
  await type("/", "o", "n", "e");
  expect(await shows(/1 \/ 1 found of 2 open/)).toContain("dev-one");
  await type("Enter", "k");
  await shows('Close client "dev-one" from 127.0.0.1');
  await type("n");
  await shows("nothing was done");
  expect(first!.mqtt.connected).toBe(true);
  await type("Enter");
  await shows(/client id +dev-one/);
  await type("k");
  await shows("[y] close it");
  await type("y");
  await first!.closed;
  await shows("gone, or no longer in the list");

  await type("4");
  await shows(/brokers.* 127.0.0.1:|127.0.0.1:~/);
  await type("d");
  await shows("its 1 open:");
  await type("k");
  await shows(/~>drain 1 left/);
  await type("u");
  await shows("is as the configuration says again");
  await shows(/[+ ]>(?:up|unknown)/);

  await tmux("resize-window", "-x", "120", "-y", "40");
  const isLarge = (screen: string) => /as the configuration says again$/.test(screen.split("\n")[39] ?? "");
  const large = await waitFor("40 lines", async () => [await seen()].find(isLarge));
  expect(large).toMatch(/descending$|ascending$/m);
  await type("x");
  await shows(/q end$/m);
  await type("q");
  await shows("ended with 0.");
  expect(await seen()).not.toContain("[4 Brokers]");
  await waitFor("the log", async () =>
    (
      await sluiceCli(["events", "--search=sluice top", `--configFile=${sluice.directory}/sluice.yml`], {
        cwd: sluice.directory,
      })
    ).stdout.includes("asked for by the API"),
  );
}, 60_000);

test.each([
  ["Ctrl-C", () => type("C-c")],
  [
    "SIGTERM",
    async () => {
      const children = await exec(["pgrep", "-f", `top --configFile=${sluice.directory}/sluice.yml`]);
      for (const pid of children.stdout.trim().split("\n")) if (pid !== "") process.kill(Number(pid), "SIGTERM");
    },
  ],
] as const)(
  "after %s the terminal is as it was",
  async (_, end) => {
    await tmux("clear-history");
    await type("clear", "Enter");
    await run("--tab=events");
    await shows("[6 Events]");
    expect(await tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}")).toBe("1 0\n");
    await end();
    await shows(/ended with \d+\./);
    expect(await tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}")).toBe("0 1 1\n");
    await type("echo ech''oed", "Enter");
    await shows("echoed");
  },
  60_000,
);

test("what is not a terminal is told which commands there are; --once prints one screen", async () => {
  const options = { cwd: sluice.directory };
  const config = `--configFile=${sluice.directory}/sluice.yml`;
  const piped = await exec([SLUICE, "top", config], options);
  expect(piped).toMatchObject({ code: 1, stderr: expect.stringContaining("--json") });
  const { code, stdout } = await sluiceCli(["top", config, "--once", "--tab=brokers"], options);
  expect(code).toBe(0);
  expect(stdout).toContain("[4 Brokers]");
  expect(stdout).toContain("brokers");
  expect((await sluiceCli(["top", config, "--once", "--tab=none"], options)).stderr).toContain("one of overview");
});

test("when Sluice ends, top says that it is cut off, and how old is what it shows", async () => {
  await run("--tab=brokers");
  await shows(/\d+s old/);
  sluice.kill();
  expect(await shows(/CUT OFF, \d+s old/)).toContain("nothing listens there");
  await type("q");
  await shows("ended with 0.");
}, 60_000);
