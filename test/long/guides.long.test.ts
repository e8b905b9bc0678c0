// Every guide, and the page to start from, works as it is printed: its files are written and its commands run, in order, in a network of their own where 8883 and
// 1883 are free, up to the message that arrives at a real broker.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { place } from "../support/place.ts";
import { BIN_SLUICE, ROOT, SLUICE } from "../support/sluice.ts";
import { cleanup, exec, waitFor } from "../support/tools.ts";

const GUIDES = ["start.md", ...readdirSync(join(ROOT, "docs/guides")).map((name) => `guides/${name}`)];
/** Names that a guide takes for this machine. */
const HOSTS = "127.0.0.1 localhost broker.example.org mqtt.example.com\n";

/**
 * Guides to what cannot be had here, whose way is gone elsewhere: a public authority (seed-003.test.ts, with another one), systemd and a
 * cluster (systemd.test.ts, kubernetes.test.ts), an engine for containers (npm run test:image); and pairs, which coming-from.test.ts runs.
 */
const ELSEWHERE = ["acme", "systemd", "kubernetes", "containers", "coming-from"].map((name) => `guides/${name}.md`);

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

for (const name of GUIDES.filter((each) => each.endsWith(".md")))
  describe(name, () => {
    const steps = stepsOf(readFileSync(join(ROOT, "docs", name), "utf8"));

    test.skipIf(ELSEWHERE.includes(name))("ends with a message that has gone through a broker", () => {
      expect(steps.some(({ what }) => what.startsWith("prints "))).toBe(true);
    });

    test("works as it is printed", async () => {
      // The page to start from with the program that its commands name, and so from its source.
      const { directory, within, listens } = await place(name === "start.md" ? BIN_SLUICE : SLUICE, HOSTS);
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
