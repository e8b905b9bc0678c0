// npm run build:binary: Sluice with its libraries and Bun in one executable file, which needs nothing else.
//
//   npm run build:binary -- [--outfile=dist/sluice] [--target=bun-linux-arm64]
//
// Without --target it is for this machine. Another target's Bun is downloaded by Bun unless BUN_EXECUTABLE names one that is here.
//
// Two environment variables still act on the finished executable, as they do on every one that Bun makes, and nothing can be compiled
// in against them: BUN_OPTIONS holds flags of the runtime (--cpu-prof is useful, --preload runs other code), and with BUN_BE_BUN=1 it
// is Bun itself and not Sluice. Who can set Sluice's environment can do as much with LD_PRELOAD: only its operator should.

import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundleDashboard } from "../src/dashboard/bundle.ts";

const ROOT = resolve(import.meta.dir, "..");

const { values } = parseArgs({
  options: { outfile: { type: "string", default: join(ROOT, "dist/sluice") }, target: { type: "string" } },
});
// npm runs scripts in the package's directory; a path is relative to where npm was called.
const outfile = resolve(process.env.INIT_CWD ?? ".", values.outfile);
const bun = process.env.BUN_EXECUTABLE;

/** Made before the executable: a build within a build may wait for ever. */
const assets = await bundleDashboard(join(ROOT, "src/dashboard/page"));

/** The executable has the dashboard inside, bundled: there is no source beside it to do so later. */
const dashboard: Bun.BunPlugin = {
  name: "dashboard",
  setup(build) {
    build.onLoad({ filter: /src\/dashboard\/assets\.ts$/ }, () => ({
      loader: "ts",
      contents: `export const loadAssets = async () => (${JSON.stringify(assets)});\n`,
    }));
  },
};

mkdirSync(dirname(outfile), { recursive: true });
// Beside the result, so that it takes its name at once: a Sluice that runs from there is not disturbed, and the maps that Bun writes
// next to the executable (which has its own copy) are thrown away.
const scratch = mkdtempSync(join(dirname(outfile), ".build-"));
try {
  const made = join(scratch, "sluice");
  const { success, logs } = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts")],
    target: "bun",
    // A chunk for each role and command: without it every process parses all of them (measured: `version` 50 ms instead of 10, a worker
    // 3 MB more).
    splitting: true,
    plugins: [dashboard],
    // Compiled ahead: 2.5 MB less private memory per worker and 4 MB less in the master, for 7 MB in the file.
    bytecode: true,
    format: "esm",
    // Stack traces name src/file.ts:line. No minifying: it would save 1 % of the file, nothing in memory, and cost names in traces.
    sourcemap: "linked",
    minify: false,
    compile: {
      outfile: made,
      ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
      ...(bun === undefined ? {} : { executablePath: bun }),
      // The directory that Sluice is started in does not configure its runtime.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
  for (const log of logs) console.error(String(log));
  if (!success) process.exit(1);
  chmodSync(made, 0o755);
  renameSync(made, outfile);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${outfile}: ${Math.round(statSync(outfile).size / 1_000_000)} MB`);
