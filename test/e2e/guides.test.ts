// Every guide, and the page to start from, works as it is printed: its files are written and its commands run, in order, in a network of their own where 8883 and
// 1883 are free, up to the message that arrives at a real broker.

import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BIN_SLUICE, ROOT, SLUICE } from "../support/sluice.ts";
import { cleanup, exec, temporaryDirectory, waitFor } from "../support/tools.ts";

const GUIDES = ["start.md", ...readdirSync(join(ROOT, "docs/guides")).map((name) => `guides/${name}`)];
/** Names that a guide takes for this machine. */
const HOSTS = "127.0.0.1 localhost broker.example.org mqtt.example.com\n";

/**
 * Guides to what cannot be had here, whose way is gone elsewhere: a public authority (seed-003.test.ts, with another one), systemd and a
 * cluster (systemd.test.ts, kubernetes.test.ts), and an engine for containers (npm run test:image).
 */
const ELSEWHERE = ["acme", "systemd", "kubernetes", "containers"].map((name) => `guides/${name}.md`);

interface Step {
  readonly kind: "file" | "run";
  /** The path of a file, or what is said of a command. */
  readonly what: string;
  readonly text: string;
}

/**
 * The marked blocks of a guide. Every block must be marked; `shown` ones need what a test has not: the public net, another machine.
 * Those marked `check` are tried in docs.test.ts.
 */
function stepsOf(guide: string): Step[] {
  const blocks = [...guide.matchAll(/(?:^<!-- (file|run|shown|check)(?:: (.+))? -->\n)?^```\w*\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([block, kind, what, text]) => {
    if (kind === undefined) throw new Error(`a block without a mark: ${block.slice(0, 80)}`);
    return kind === "shown" || kind === "check" ? [] : [{ kind: kind as Step["kind"], what: what ?? "", text: text! }];
  });
}

const COPIED = ["config", "deploy", "dynamic", "node_modules", "package.json", "package-lock.json", "scripts", "src"];

/** A folder like the one that Sluice is in, and a way to run commands there, in network and mount namespaces of their own. */
async function place(program: string) {
  const directory = temporaryDirectory();
  for (const name of COPIED) symlinkSync(join(ROOT, name), join(directory, name));
  mkdirSync(join(directory, "bin"));
  symlinkSync(program, join(directory, "bin/sluice"));
  const hosts = join(temporaryDirectory(), "hosts");
  writeFileSync(hosts, HOSTS);
  const script = `ip link set lo up && mount --bind ${hosts} /etc/hosts && echo ready && exec sleep 600`;
  const keeper = Bun.spawn(["unshare", "-n", "-m", "sh", "-c", script], { stdout: "pipe" });
  cleanup(async () => {
    keeper.kill("SIGKILL");
    await keeper.exited;
  });
  const { value } = await keeper.stdout.getReader().read();
  expect(Buffer.from(value!).toString()).toBe("ready\n");
  const within = (script: string) => [
    "nsenter",
    `--target=${keeper.pid}`,
    "-n",
    "-m",
    `--wd=${directory}`,
    "sh",
    "-ec",
    script,
  ];
  /** Whether something listens on the port in that network. */
  const listens = (port: number) => {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    const sockets = ["tcp", "tcp6"].flatMap((kind) =>
      readFileSync(`/proc/${keeper.pid}/net/${kind}`, "utf8").split("\n"),
    );
    // State 0A is LISTEN.
    return sockets.some((line) => line.includes(local) && / \S+:0000 0A /.test(line));
  };
  return { directory, within, listens };
}

for (const name of GUIDES.filter((each) => each.endsWith(".md")))
  describe(name, () => {
    const steps = stepsOf(readFileSync(join(ROOT, "docs", name), "utf8"));

    test.skipIf(ELSEWHERE.includes(name))("ends with a message that has gone through a broker", () => {
      expect(steps.some(({ what }) => what.startsWith("prints "))).toBe(true);
    });

    test("works as it is printed", async () => {
      // The page to start from with the program that its commands name, and so from its source.
      const { directory, within, listens } = await place(name === "start.md" ? BIN_SLUICE : SLUICE);
      for (const { kind, what, text } of steps) {
        if (kind === "file") {
          writeFileSync(join(directory, what), text);
          continue;
        }
        const port = /^background until (\d+)$/.exec(what)?.[1];
        if (port !== undefined) {
          // exec, so that the signal at the end reaches the program itself.
          const script = text
            .trim()
            .replace(
              /^(cd \S+ && )?((?:\w+=\S+ )*)/,
              (_, cd = "", set) => `${cd}${set === "" ? "" : `export ${set}&& `}exec `,
            );
          const child = Bun.spawn(within(script), { stdout: "ignore", stderr: "ignore" });
          cleanup(async () => {
            child.kill("SIGTERM");
            await child.exited;
          });
          await waitFor(`port ${port} to be open`, () => listens(Number(port)));
          continue;
        }
        if (what === "fails soon") {
          await waitFor(`to fail: ${text}`, async () => (await exec(within(text))).code !== 0 || null, 10_000);
          continue;
        }
        const { code, stdout, stderr } = await exec(within(text));
        if (what === "fails") expect({ text, failed: code !== 0 }).toEqual({ text, failed: true });
        else expect({ text, code, stderr: code === 0 ? "" : stderr }).toEqual({ text, code: 0, stderr: "" });
        const printed = /^prints (.+)$/.exec(what)?.[1];
        if (printed !== undefined) expect(stdout).toContain(printed);
      }
    }, 60_000);
  });
