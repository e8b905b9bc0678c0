// What large configurations cost: `bun bench/configuration.ts [BIN]`. Seconds, CPU seconds and peak memory of a start and of a reload
// in which one router of 1000, 10 000 and 100 000 changes, written as one file and as a directory of files with 100 routers each.
// BIN is another checkout's bin/sluice, to compare before with after.

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuOfTree } from "./cpu.ts";
import { freePort, killAll, processTree, type Started, startLogged, stopTree, until } from "./proc.ts";

const BINARY = process.argv[2] ?? join(import.meta.dir, "../bin/sluice");
const SIZES = [1000, 10_000, 100_000];
const PER_FILE = 100;
const LIMIT_SECONDS = 120;

const router = (index: number, round: number) =>
  `    r${index}: { rule: "HostSNI(\`r${index}.${round}.bench.test\`)", service: broker, tls: {} }\n`;

function dynamicFile(from: number, to: number, changed: number, round: number): string {
  const lines = ["tcp:\n  routers:\n"];
  for (let index = from; index < to; index++) lines.push(router(index, index === changed ? round : 0));
  return lines.join("");
}

const SERVICE = '  services:\n    broker: { loadBalancer: { servers: [{ address: "127.0.0.1:1883" }] } }\n';

interface Figures {
  readonly seconds: number;
  readonly cpu: number;
  /** MB: of the master, and of all processes. */
  readonly master: number;
  readonly all: number;
}

/** The most that each process of a tree has had since the last call, added up; MB. */
function peaks(pid: number): { readonly master: number; readonly all: number } {
  const each = processTree(pid).map((member) => {
    const status = readFileSync(`/proc/${member}/status`, "utf8");
    return { member, mb: Number(/^VmHWM:\s+(\d+)/m.exec(status)![1]) / 1024 };
  });
  return { master: Math.max(...each.map(({ mb }) => mb)), all: each.reduce((sum, { mb }) => sum + mb, 0) };
}

function forgetPeaks(pid: number): void {
  for (const member of processTree(pid)) writeFileSync(`/proc/${member}/clear_refs`, "5");
}

async function measure(size: number, isDirectory: boolean): Promise<{ start: Figures; reload: Figures }> {
  const root = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const directory = join(root, "dynamic");
  mkdirSync(directory);
  const put = (name: string, text: string) => {
    writeFileSync(join(root, "new"), text);
    renameSync(join(root, "new"), join(directory, name));
  };
  const step = isDirectory ? PER_FILE : size;
  for (let from = 0; from < size; from += step)
    put(`${from}.yml`, dynamicFile(from, from + step, -1, 0) + (from === 0 ? SERVICE : ""));
  const [port, admin] = [await freePort(), await freePort()];
  writeFileSync(
    join(root, "sluice.yml"),
    `entryPoints:
  mqtts: { address: "127.0.0.1:${port}" }
  traefik: { address: "127.0.0.1:${admin}" }
providers: { file: { directory: ${directory} } }
ping: {}
log: { format: json }
workers: 1
`,
  );
  const log = join(root, "log");
  const program = startLogged([BINARY, "run", `--configFile=${join(root, "sluice.yml")}`], { log });
  const loaded = () => readFileSync(log, "utf8").split('"configuration loaded"').length - 1;
  const isUp = () =>
    fetch(`http://127.0.0.1:${admin}/ping`).then(
      (answer) => answer.ok,
      () => false,
    );
  try {
    await until(isUp, program, LIMIT_SECONDS);
    const start = figures(program, performance.now() - program.at, 0);
    await Bun.sleep(2000);
    forgetPeaks(program.pid);
    const before = cpuOfTree(program.pid);
    const [count, at] = [loaded(), performance.now()];
    const middle = Math.floor(size / 2 / step) * step;
    put(`${middle}.yml`, dynamicFile(middle, middle + step, middle + 1, 1) + (middle === 0 ? SERVICE : ""));
    await until(async () => loaded() > count, program, LIMIT_SECONDS);
    return { start, reload: figures(program, performance.now() - at, before) };
  } finally {
    await stopTree(program.process, 2);
    rmSync(root, { recursive: true });
  }
}

function figures(program: Started, ms: number, cpuBefore: number): Figures {
  return { seconds: ms / 1000, cpu: (cpuOfTree(program.pid) - cpuBefore) / 1e6, ...peaks(program.pid) };
}

process.on("exit", killAll);
console.log("| routers | as | start: s | s CPU | MB peak, master | all | reload: s | s CPU | MB peak, master | all |");
console.log("|---|---|---|---|---|---|---|---|---|---|");
for (const size of SIZES)
  for (const isDirectory of [false, true]) {
    const { start, reload } = await measure(size, isDirectory);
    const cells = [start, reload].flatMap((each) => [
      each.seconds.toFixed(2),
      each.cpu.toFixed(2),
      each.master.toFixed(0),
      each.all.toFixed(0),
    ]);
    console.log(`| ${size} | ${isDirectory ? `${size / PER_FILE} files` : "one file"} | ${cells.join(" | ")} |`);
  }
