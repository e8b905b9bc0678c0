// Log files that cannot be written are said at the start, with where they are configured.

import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { StaticConfig } from "../config/static.ts";
import { OPEN_FLAGS } from "../observe/output.ts";
import { describeError } from "../system/errors.ts";
import { StartError } from "./start-error.ts";

/** @throws StartError for the first that cannot be opened. */
export function proveLogFiles({ log, accessLog }: StaticConfig): void {
  const files = { "log.filePath": log.filePath, "accessLog.filePath": accessLog?.filePath };
  for (const [field, path] of Object.entries(files)) {
    if (path === undefined) continue;
    try {
      mkdirSync(dirname(path), { recursive: true });
      closeSync(openSync(path, OPEN_FLAGS, 0o640));
    } catch (error) {
      throw new StartError(`${field}: cannot write to ${path}: ${describeError(error)}`);
    }
  }
}
