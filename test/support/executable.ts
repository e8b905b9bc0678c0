// The executable that `npm run build:binary` makes: the one that scripts/run-tests has built, or one of our own.

import { join } from "node:path";
import { ROOT } from "./sluice.ts";
import { exec, temporaryDirectory } from "./tools.ts";

export async function builtExecutable(): Promise<string> {
  if (process.env.TEST_PROGRAM !== undefined) return process.env.TEST_PROGRAM;
  const outfile = join(temporaryDirectory(), "sluice");
  const program = [process.execPath, join(ROOT, "scripts/build-binary.ts"), `--outfile=${outfile}`];
  const { code, stdout, stderr } = await exec(program, { cwd: ROOT, timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`the build failed: ${stdout}${stderr}`);
  return outfile;
}
