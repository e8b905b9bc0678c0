// TLS towards a store of routes.

import { readFileSync } from "node:fs";
import { describeError } from "../system/errors.ts";

/** Each a path, or the PEM text itself. */
export interface StoreTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
}

/** The PEM texts. Paths are read at each call, so that files may be replaced. @throws with the path of one that cannot be read. */
export function readTls({ ca, cert, key }: StoreTls): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca === undefined ? {} : { ca: fileOrText(ca) }),
    ...(cert === undefined ? {} : { cert: fileOrText(cert) }),
    ...(key === undefined ? {} : { key: fileOrText(key) }),
  };
}

function fileOrText(value: string): string {
  if (value.includes("-----BEGIN")) return value;
  try {
    return readFileSync(value, "utf8");
  } catch (error) {
    throw new Error(`${value}: ${describeError(error)}`);
  }
}
