// The benchmark: `bun bench/run.ts --help`. Measures Sluice beside its peers in one run, prints the table, stores JSON.
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cryptoFloor } from "./floor.ts";
import { Bench } from "./harness.ts";
import { peers as allPeers } from "./peers/all.ts";
import type { Peer } from "./peers/peer.ts";
import { floorText, type Results, rowText, store } from "./report.ts";
import { rows as allRows } from "./rows/all.ts";
import { runRow } from "./runner.ts";

const USAGE = `bun bench/run.ts [options]
  --quick          under 2 minutes: smaller repetitions, no slow rows; haproxy, sluice and tcp-relay unless --peers
  --rows a,b       only these rows: ${allRows.map((row) => row.id).join(" ")}
  --peers a,b      only these peers: ${allPeers.map((peer) => peer.name).join(" ")}
  --reps N         repetitions per figure (5)
  --idle N|max     connections held by idle and storm (2000; max is what the descriptor limit allows)
  --generators N   generator processes (1), beside one that only observes
  --no-pin         do not pin single-worker peers to core 0 and generator and backend to the others
  --no-floor       skip openssl speed
  --out FILE       results (bench/results/latest.json)`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rows: { type: "string" },
    peers: { type: "string" },
    reps: { type: "string", default: "5" },
    idle: { type: "string" },
    generators: { type: "string", default: "1" },
    "no-pin": { type: "boolean", default: false },
    "no-floor": { type: "boolean", default: false },
    out: { type: "string", default: join(import.meta.dir, "results/latest.json") },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const QUICK_PEERS = ["haproxy", "sluice", "tcp-relay"];
/** A proxy holds two descriptors per connection; the rest is for its files, listeners and pipes. */
const limit = Math.floor((descriptorLimit() - 200) / 2);
const idle = values.idle === "max" ? limit : Math.min(limit, Number(values.idle ?? (values.quick ? 500 : 2000)));

// Before anything is started; the exit handler of Bench does the cleaning.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

const rows = chosen(
  allRows,
  (row) => row.id,
  values.rows,
  (row) => !(values.quick && row.slow),
);
const wanted = chosen(
  allPeers,
  (peer) => peer.name,
  values.peers,
  (peer) => (values.quick ? QUICK_PEERS.includes(peer.name) : true),
);
const results: Results = {
  when: new Date().toISOString(),
  machine: {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    memoryMB: Math.round(totalmem() / 1e6),
  },
  options: { ...values, idle },
  peers: {},
  rows: {},
  floor: {},
};
const peers: Peer[] = [];
for (const peer of wanted) {
  const version = await peer.version();
  if (version === null) {
    console.error(`${peer.name}: not installed, left out`);
    continue;
  }
  peers.push(peer);
  results.peers[peer.name] = { version, note: peer.note };
  console.log(`${peer.name.padEnd(11)} ${version}; ${peer.note}`);
}

const bench = await Bench.create({
  scale: { quick: values.quick, idle },
  generators: Number(values.generators),
  // Without it the scheduler moves proxy and generator between the cores in the middle of a repetition.
  pin: !values["no-pin"] && cpus().length > 1,
});
if (!values["no-floor"]) {
  results.floor = await cryptoFloor();
  console.log(floorText(results.floor));
}
let failed = false;
for (const row of rows) {
  const usual = values.peers === undefined && row.usually;
  const subjects = usual ? peers.filter((peer) => usual.includes(peer.name)) : peers;
  const result = await runRow(bench, row, subjects, Number(values.reps));
  results.rows[row.id] = result;
  failed ||= Object.values(result.columns).some((column) => column.failure !== null);
  process.stderr.write("\r");
  console.log(rowText(row.id, result));
  // After every row, so that an interrupted run has kept what it measured.
  store(values.out, results);
}
console.log(`\n${values.out}`);
bench.close(failed ? 1 : 0);

function chosen<T>(
  all: readonly T[],
  id: (item: T) => string,
  names: string | undefined,
  byDefault: (item: T) => boolean,
) {
  if (names === undefined) return all.filter(byDefault);
  return names.split(",").map((name) => {
    const item = all.find((candidate) => id(candidate) === name);
    if (!item) {
      console.error(`no ${name}; there are: ${all.map(id).join(" ")}`);
      process.exit(2);
    }
    return item;
  });
}

function descriptorLimit(): number {
  return Number(Bun.spawnSync(["sh", "-c", "ulimit -n"]).stdout.toString()) || 1024;
}
