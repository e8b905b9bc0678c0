// A guide of docs/, as whoever follows it does: its files are written and its commands run, in order, in a network of their own.

import { expect } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { place } from "./place.ts";
import { ROOT } from "./sluice.ts";
import { cleanup, exec, type Finished, waitFor } from "./tools.ts";

/** Names that a guide takes for this machine. */
const HOSTS = "127.0.0.1 localhost broker.example.org mqtt.example.com\n";

/** A thousand devices take a while. Milliseconds. */
const LONGEST = 180_000;

const BACKGROUND = /^background until (\d+)$/;

export interface Step {
  /** `newer` ones need a program that Debian stable does not have: they are run in test/peers alone. */
  readonly newer: boolean;
  readonly kind: "file" | "run";
  /** The path of a file, or what is said of a command: see {@link Expected}. */
  readonly what: string;
  readonly text: string;
}

/**
 * The marked blocks of a guide, such as `guides/acme.md`. Every block must be marked; `shown` ones need what a test has not: the public
 * net, another machine. Those marked `check` are tried in docs.test.ts.
 *
 * @throws when a block has no mark, or one that says nothing.
 */
export function stepsOf(name: string): Step[] {
  const guide = readFileSync(join(ROOT, "docs", name), "utf8");
  const blocks = [
    ...guide.matchAll(/(?:^<!-- (newer )?(file|run|shown|check)(?:: (.+))? -->\n)?^```\w*\n([\s\S]*?)^```$/gm),
  ];
  return blocks.flatMap(([block, newer, kind, what, text]) => {
    if (kind === undefined) throw new Error(`${name}: a block without a mark: ${block.slice(0, 80)}`);
    if (kind === "shown" || kind === "check") return [];
    if (kind === "run" && !BACKGROUND.test(what ?? "")) expectedOf(what ?? "");
    return [{ newer: newer !== undefined, kind: kind as Step["kind"], what: what ?? "", text: text! }];
  });
}

/** What is said of a command, as in `run: asks secret, prints world`. */
interface Expected {
  /** It asks for this on a terminal, once or more often. */
  readonly asks: string | null;
  readonly fails: boolean;
  /** It has this in what it writes. */
  readonly says: string | null;
  /** It does so only after a while, and is run until then. */
  readonly soon: boolean;
}

function expectedOf(what: string): Expected {
  const [, asks, rest = ""] = /^(?:asks (\S+?)(?:, |$))?(.*)$/.exec(what)!;
  const [, verb, soon, says] = /^(?:(prints|fails)( soon)?(?: with)?(?: (.+))?)?$/.exec(rest) ?? [];
  if (rest !== "" && verb === undefined) throw new Error(`what does this mark mean: ${what}`);
  return { asks: asks ?? null, fails: verb === "fails", says: says ?? null, soon: soon !== undefined };
}

export interface Follower {
  readonly program: string;
  /** Further programs: a directory that is looked into first. */
  readonly path?: string;
}

/** Does what the steps say, and expects what they promise. */
export async function follow(steps: readonly Step[], { program, path }: Follower): Promise<void> {
  const { directory, within, listens } = await place(program, HOSTS);
  // Mosquitto, started as root, reads and writes its files as another user.
  chmodSync(directory, 0o777);
  // Debian's own programs first, so that python3 has its packages.
  const env = { ...process.env, PATH: `${path === undefined ? "" : `${path}:`}/usr/bin:${process.env.PATH}:/usr/sbin` };
  for (const { kind, what, text } of steps) {
    if (kind === "file") {
      writeFileSync(join(directory, what), text);
      continue;
    }
    const port = BACKGROUND.exec(what)?.[1];
    if (port !== undefined) {
      const child = Bun.spawn(within(replacing(text)), { stdout: "ignore", stderr: "ignore", env });
      cleanup(async () => {
        child.kill("SIGTERM");
        await child.exited;
      });
      await waitFor(`port ${port} to be open`, () => listens(Number(port)));
      continue;
    }
    const { asks, fails, says, soon } = expectedOf(what);
    const once = () =>
      asks === null ? exec(within(text), { env, timeoutMs: LONGEST }) : answered(within(text), asks, env);
    const wanted = { failed: fails, says: says ?? "" };
    const got = ({ code, stdout, stderr }: Finished) => {
      const written = stdout + stderr;
      return { failed: code !== 0, says: says === null || written.includes(says) ? wanted.says : written };
    };
    if (soon)
      await waitFor(`this to do as it says: ${text}`, async () => Bun.deepEquals(got(await once()), wanted), 10_000);
    else {
      const done = await once();
      expect({ text, ...got(done), stderr: fails || done.code === 0 ? "" : done.stderr }).toEqual({
        ...{ text, ...wanted },
        stderr: "",
      });
    }
  }
}

/** The command in place of the shell that runs it, so that the signal at the end reaches the program itself. */
function replacing(text: string): string {
  return text
    .trim()
    .replace(/^(cd \S+ && )?((?:\w+=\S+ )*)/, (_, cd = "", set) => `${cd}${set === "" ? "" : `export ${set}&& `}exec `);
}

/** Runs a command on a terminal, and gives the same answer to each of its questions. */
async function answered(command: readonly string[], answer: string, env: NodeJS.ProcessEnv): Promise<Finished> {
  let written = "";
  const child = Bun.spawn([...command], {
    env,
    timeout: 30_000,
    killSignal: "SIGKILL",
    terminal: {
      data(terminal, data) {
        const text = Buffer.from(data).toString();
        written += text;
        // A question is not a whole line.
        if (/: ?$/.test(text)) terminal.write(`${answer}\n`);
      },
    },
  });
  const code = await child.exited;
  return { code, stdout: written, stderr: "" };
}
