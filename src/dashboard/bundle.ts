// Bundles the dashboard by Bun: from source at run time, and for the executable when it is built.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export interface Assets {
  readonly html: string;
  readonly script: string;
  readonly style: string;
}

/** @param directory of the page's sources @throws where they do not compile. */
export async function bundleDashboard(directory: string): Promise<Assets> {
  const read = (file: string) => readFileSync(join(directory, file), "utf8");
  const { outputs, success, logs } = await Bun.build({
    entrypoints: [join(directory, "main.tsx")],
    target: "browser",
    format: "esm",
    minify: true,
    tsconfig: join(directory, "tsconfig.json"),
    throw: false,
  });
  const script = outputs.find(({ kind }) => kind === "entry-point");
  if (!success || script === undefined) throw new Error(`the dashboard does not compile: ${logs.join("; ")}`);
  const plots = createRequire(join(directory, "main.tsx")).resolve("uplot/dist/uPlot.min.css");
  return {
    html: read("index.html"),
    script: await script.text(),
    style: `${readFileSync(plots, "utf8")}\n${read("style.css")}`,
  };
}
