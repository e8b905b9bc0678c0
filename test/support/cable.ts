// Two machines with a cable between them: this one, and a network namespace.

import { expect } from "bun:test";
import { cleanup, exec, waitFor } from "./tools.ts";

/** A network of two: this machine, and one whose cable can be pulled. */
export async function cable() {
  const id = process.pid.toString(36);
  const [here, there] = [`sl${id}a`, `sl${id}b`];
  const [us, them] = [
    `10.${200 + (process.pid % 50)}.${process.pid % 250}.1`,
    `10.${200 + (process.pid % 50)}.${process.pid % 250}.2`,
  ];
  const far = Bun.spawn(["unshare", "-n", "sleep", "600"]);
  cleanup(() => far.kill("SIGKILL"));
  const run = async (...command: string[]) => expect(await exec(command)).toMatchObject({ code: 0 });
  const own = (await exec(["readlink", "/proc/self/ns/net"])).stdout;
  await waitFor(
    "the other network",
    async () => (await exec(["readlink", `/proc/${far.pid}/ns/net`])).stdout !== own && far.exitCode === null,
  );
  await run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", String(far.pid));
  cleanup(() => exec(["ip", "link", "del", here]));
  await run("ip", "addr", "add", `${us}/30`, "dev", here);
  await run("ip", "link", "set", here, "up");
  const inside = ["nsenter", "-t", String(far.pid), "-n"];
  await run(...inside, "ip", "addr", "add", `${them}/30`, "dev", there);
  await run(...inside, "ip", "link", "set", there, "up");
  const swallow = async () => {
    const { stdout } = await exec([...inside, "ip", "-o", "link", "show", "dev", there]);
    const address = /link\/ether (\S+)/.exec(stdout)![1]!;
    // Without this it is asked who has the address, and that nobody answers comes to be known.
    await run("ip", "neigh", "replace", them, "lladdr", address, "dev", here, "nud", "permanent");
    await run(...inside, "ip", "link", "set", there, "down");
  };
  return {
    us,
    them,
    /** Commands with this before them run in the other network. */
    inside,
    /** Takes this side's plug out, which this side notices. */
    pull: () => run("ip", "link", "set", here, "down"),
    /** From now on packets to the other side are lost, and nobody says so. */
    swallow,
    restore: () => run(...inside, "ip", "link", "set", there, "up"),
  };
}
