// What the dashboard consists of, as it is sent: one page, one script, one style sheet. From source it is bundled when it is first asked
// for; the executable has it inside (scripts/build-binary.ts puts it in the place of this module).

import { join } from "node:path";
import type { Assets } from "./bundle.ts";

export async function loadAssets(): Promise<Assets> {
  const { bundleDashboard } = await import("./bundle.ts");
  return bundleDashboard(join(import.meta.dir, "page"));
}
