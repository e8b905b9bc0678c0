// The systemd unit of deploy/systemd: systemd accepts it, finds it hardened, and Sluice works inside the sandbox that it describes.
// systemd itself does not run here; the sandbox is made by the same means that systemd uses (seccomp, a mount namespace, capabilities).

import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsClient } from "../support/clients.ts";
import { echoEdge } from "../support/echo.ts";
import { ROOT, SLUICE, Sluice } from "../support/sluice.ts";
import { exec, temporaryDirectory } from "../support/tools.ts";

const DIRECTORY = join(ROOT, "deploy/systemd");
const unit = readFileSync(join(DIRECTORY, "sluice.service"), "utf8");
/** All values of a setting, in order. */
const all = (name: string) => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map((match) => match[1]!);
const last = (name: string) => all(name).at(-1)!;
/** Exposure as systemd-analyze rates it, from 0 to 10, times 10. */
const MOST_EXPOSURE = 20;

/** The unit in a directory, with the program where it is here, and with a drop-in where one is named. */
function installed(dropIn?: string): string {
  const directory = temporaryDirectory();
  symlinkSync(SLUICE, join(directory, "sluice"));
  const file = join(directory, "sluice.service");
  writeFileSync(file, unit.replaceAll("/usr/bin/sluice", join(directory, "sluice")));
  if (dropIn !== undefined) {
    mkdirSync(`${file}.d`);
    cpSync(join(DIRECTORY, "drop-ins", dropIn), join(`${file}.d`, dropIn));
  }
  return file;
}

const analyze = (...args: string[]) => exec(["systemd-analyze", "--no-pager", ...args]);
const verify = (file: string) => analyze("verify", "--man=no", file);

/** systemd's sets of system calls, each by its name such as @system-service, as they are: with the names of the sets within. */
async function callSets(): Promise<Map<string, readonly string[]>> {
  const { code, stdout } = await analyze("syscall-filter");
  expect(code).toBe(0);
  const sets = stdout.split(/^(?=\S)/m).map((text) => text.split("\n").map((line) => line.trim()));
  return new Map(
    sets.map(([name, ...lines]) => [name!, lines.filter((line) => line !== "" && !line.startsWith("#"))] as const),
  );
}

/** The system calls of a set, with those of the sets within it. */
function callsOf(sets: ReadonlyMap<string, readonly string[]>, name: string): string[] {
  if (!name.startsWith("@")) return [name];
  const names = sets.get(name);
  if (names === undefined) throw new Error(`systemd has no set ${name}`);
  return names.flatMap((each) => callsOf(sets, each));
}

/** What the unit's SystemCallFilter lines leave. */
async function allowedCalls(): Promise<string[]> {
  const [allow, deny] = all("SystemCallFilter");
  const sets = await callSets();
  const of = (names: string) => names.split(" ").flatMap((name) => callsOf(sets, name));
  const [without, within] = [of(deny!.slice(1)), of(allow!)];
  return [...new Set(within)].filter((name) => !without.includes(name));
}

describe("the unit", () => {
  test("is accepted by systemd without a word", async () => {
    expect(await verify(installed())).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("would not be with a misspelt setting", async () => {
    const file = installed();
    writeFileSync(file, readFileSync(file, "utf8").replace("ProtectHome=", "ProtectHomes="));
    expect((await verify(file)).stderr).toContain("ProtectHomes");
  });

  for (const dropIn of readdirSync(join(DIRECTORY, "drop-ins")))
    test(`is accepted with the drop-in ${dropIn}`, async () => {
      expect(await verify(installed(dropIn))).toEqual({ code: 0, stdout: "", stderr: "" });
    });

  test(`has an exposure under ${MOST_EXPOSURE / 10} of 10`, async () => {
    const args = ["security", "--offline=true", `--threshold=${MOST_EXPOSURE}`, installed()];
    const { code, stdout } = await analyze(...args);
    expect(code, stdout).toBe(0);
  });

  test("gives connections the time that they have", () => {
    // The default of graceTimeOut is 10 s, and a worker that hangs is killed 2 s later.
    expect(Number(last("TimeoutStopSec"))).toBeGreaterThan(12);
    expect(last("KillMode")).toBe("mixed");
    expect(all("ExecReload").at(-1)).toBe("/bin/kill -HUP $MAINPID");
  });

  test("runs commands that Sluice has", async () => {
    const lines = [...all("ExecStart"), ...all("ExecStartPre"), ...all("ExecReload").slice(0, -1)];
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      const [program, command, file] = line.split(" ");
      expect(program).toBe("/usr/bin/sluice");
      expect((await exec([SLUICE, command!, "--help"])).stdout).toContain(`sluice ${command}`);
      expect(file).toBe("--configFile=/etc/sluice/sluice.yml");
    }
  });

  test("runs as the user that sysusers.d makes", () => {
    const [, type, name] = /^(u) (\w+) - /m.exec(readFileSync(join(DIRECTORY, "sluice.sysusers.conf"), "utf8"))!;
    expect(type).toBe("u");
    expect(last("User")).toBe(name!);
  });
});

describe("inside the unit's sandbox", () => {
  test("Sluice starts, serves, reloads on SIGHUP and drains", async () => {
    const directory = temporaryDirectory();
    const calls = join(directory, "calls");
    writeFileSync(calls, (await allowedCalls()).join("\n"));
    const { dynamic } = await echoEdge();
    // ProtectSystem=strict, ProcSubset=pid and ProtectProc=invisible; nothing at all can be written.
    const mounts =
      'mount -t proc -o subset=pid,hidepid=invisible proc /proc && mount -o remount,bind,ro / && exec "$@"';
    const capability = last("CapabilityBoundingSet").toLowerCase().replace("cap_", "+");
    const sluice = await Sluice.start({
      dynamic,
      within: [
        ...["unshare", "-m", "sh", "-c", mounts, "sh"],
        ...["setpriv", "--no-new-privs", `--bounding-set=-all,${capability}`, "--inh-caps=-all"],
        ...["python3", join(ROOT, "test/support/sandbox.py"), calls],
        last("RestrictAddressFamilies").replaceAll(" ", ","),
      ],
    });
    const status = readFileSync(`/proc/${sluice.workers[0]}/status`, "utf8");
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^CapEff:\t0000000000000400$/m);
    expect(existsSync(`/proc/${sluice.masterPid}/root/proc/meminfo`)).toBe(false);

    const client = await tlsClient(sluice.port);
    client.write("ping");
    expect(String(await new Promise((resolve) => client.once("data", resolve)))).toBe("ping");
    // SIGHUP alone: with the file as it is.
    await sluice.reload(() => process.kill(sluice.masterPid, "SIGHUP"));
    expect(await sluice.metric("sluice_process_open_fds", { process: "worker" })).toBeGreaterThan(0);
    client.resume().end();
    expect(await sluice.stop()).toBe(0);
    expect(sluice.lines.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  });

  test("a system call that the unit does not allow is refused", async () => {
    const calls = join(temporaryDirectory(), "calls");
    writeFileSync(calls, (await allowedCalls()).join("\n"));
    const sandbox = ["python3", join(ROOT, "test/support/sandbox.py"), calls, "AF_INET"];
    expect((await exec([...sandbox, "unshare", "-m", "true"])).code).not.toBe(0);
    expect((await exec([...sandbox, "true"])).code).toBe(0);
  });
});
