// What master and worker take of memory, from source and compiled, and what settings of the allocator and the runtime make of it.
// `bun bench/footprint.ts --help`. Run it on a quiet machine: memory hardly cares, but the figures of CPU and faults do.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Bench } from "./harness.ts";
import { runOnAll } from "./load/generator.ts";
import { type Memory, memoryOf } from "./memory.ts";
import type { Peer } from "./peers/peer.ts";
import { sluicePeer } from "./peers/sluice.ts";
import { processTree, statFields } from "./proc.ts";

const USAGE = `bun bench/footprint.ts [options]
  --programs a,b   executables to measure (bin/sluice, and one that is built for the run)
  --settings "A=1 B=2;C=3"  environments to try beside the one as it is (those of MIMALLOC_ and BUN_JSC_ below)
  --settle N       seconds before the first look: the master gives memory back 5 s after its last load (8)
  --reps N         repetitions, interleaved (3)
  --no-pin         do not pin the worker to core 0 and the rest to the others`;

/** What reaches the worker: src/system/spawn.ts hands these on. The first is Sluice as it is. */
const SETTINGS = [
  "",
  "MIMALLOC_PURGE_DELAY=0",
  "MIMALLOC_PURGE_DELAY=10",
  "MIMALLOC_PURGE_DELAY=-1",
  "MIMALLOC_PURGE_DECOMMITS=0",
  "MIMALLOC_ARENA_EAGER_COMMIT=0",
  "MIMALLOC_ALLOW_LARGE_OS_PAGES=1",
  "MIMALLOC_PAGE_RECLAIM_ON_FREE=1",
  "BUN_JSC_numberOfGCMarkers=1",
  "BUN_JSC_useConcurrentGC=0",
  "BUN_JSC_minHeapUtilization=0.9",
  "UV_THREADPOOL_SIZE=4",
];

const { values } = parseArgs({
  options: {
    programs: { type: "string" },
    settings: { type: "string", default: SETTINGS.slice(1).join(";") },
    settle: { type: "string", default: "8" },
    reps: { type: "string", default: "3" },
    "no-pin": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

const bench = await Bench.create({
  scale: { quick: false, idle: 0 },
  generators: 1,
  pin: !values["no-pin"] && navigator.hardwareConcurrency > 1,
});
const programs = values.programs?.split(",") ?? [join(import.meta.dir, "../bin/sluice"), await built()];
const settings = ["", ...values.settings.split(";").filter((each) => each !== "")];

/** An executable of this checkout. */
async function built(): Promise<string> {
  const outfile = join(bench.dir, "sluice");
  const script = join(import.meta.dir, "../scripts/build-binary.ts");
  const build = Bun.spawn([process.execPath, script, `--outfile=${outfile}`], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await build.exited) !== 0) throw new Error("the executable could not be built");
  return outfile;
}

/** One figure of each kind; memory in MB. */
type Figures = Record<string, number>;

async function measure(program: string): Promise<Figures> {
  const peer: Peer = sluicePeer("sluice", program, 1);
  const running = await bench.start(peer, "terminate", "p256");
  const [master, worker] = processTree(running.pid) as [number, number];
  const target = bench.target(peer, "terminate", running);
  const figures: Figures = {};
  const look = (when: string) => {
    const both = { master: memoryOf(master), worker: memoryOf(worker) };
    for (const [name, memory] of Object.entries(both))
      for (const kind of ["rss", "private", "pss"] as const) figures[`${when} ${name} ${kind}`] = memory[kind] / 1000;
    const sum = (kind: keyof Memory) => (both.master[kind] + both.worker[kind]) / 1000;
    figures[`${when} private`] = sum("private");
    figures[`${when} pss`] = sum("pss");
  };
  await Bun.sleep(Number(values.settle) * 1000);
  look("idle");
  const handshakes = (count: number) =>
    runOnAll(bench.generators, { kind: "handshakes", target, count, concurrency: 8, resume: false });
  await handshakes(1000);
  const shaken = await bench.measure(running, () => handshakes(800));
  figures["µs per handshake"] = shaken.cpu / 800;
  for (const payload of [100, 16_000]) {
    await runOnAll(bench.generators, { kind: "open", pool: "echo", target, count: 50, concurrency: 8 });
    const echo = (seconds: number) =>
      runOnAll(bench.generators, { kind: "echo", pool: "echo", payload, seconds, rate: null });
    await echo(0.5);
    const faults = minorFaults(worker);
    const echoed = await bench.measure(running, () => echo(1), 5);
    figures[`µs per echo of ${payload}`] = echoed.cpu / echoed.value.count;
    figures[`faults per 1000 of ${payload}`] = ((minorFaults(worker) - faults) / echoed.value.count) * 1000;
    await runOnAll(bench.generators, { kind: "close", pool: "echo" });
    await bench.backendEmpty();
  }
  await Bun.sleep(2000);
  look("after load");
  await running.stop();
  return figures;
}

/** Pages that a process has had to be given, so far. */
function minorFaults(pid: number): number {
  return Number(statFields(readFileSync(`/proc/${pid}/stat`, "utf8"))[9]);
}

/** `work` with this environment, in which Sluice is started. */
async function within<T>(setting: string, work: () => Promise<T>): Promise<T> {
  const names = setting.split(" ").filter((each) => each !== "");
  for (const each of names) process.env[each.split("=")[0]!] = each.slice(each.indexOf("=") + 1);
  try {
    return await work();
  } finally {
    for (const each of names) delete process.env[each.split("=")[0]!];
  }
}

const results = new Map<string, Figures[]>();
for (let rep = 0; rep < Number(values.reps); rep++)
  for (const program of programs)
    for (const setting of settings) {
      const name = `${program.startsWith(bench.dir) ? "compiled" : program} ${setting}`;
      const figures = await within(setting, () => measure(program));
      results.set(name, [...(results.get(name) ?? []), figures]);
      process.stderr.write(".");
    }
process.stderr.write("\n");
for (const [name, runs] of results) {
  console.log(`\n${name}`);
  for (const figure of Object.keys(runs[0]!)) {
    const sorted = runs.map((run) => run[figure]!).sort((a, b) => a - b);
    const [median, least, most] = [sorted[sorted.length >> 1]!, sorted[0]!, sorted.at(-1)!];
    console.log(`  ${figure.padEnd(28)} ${median.toFixed(1).padStart(8)} [${least.toFixed(1)}..${most.toFixed(1)}]`);
  }
}
bench.close(0);
