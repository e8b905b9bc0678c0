// What the storages of certificate resolvers hold, for who only looks.

import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { StaticConfig } from "../config/static.ts";
import { describeError } from "../system/errors.ts";
import { acmeOf } from "./facts.ts";
import { AcmeStorage, type StoredCertificate } from "./storage.ts";
import { sortOut } from "./whole.ts";

/** What is wrong with them goes to `diagnostics`, and nothing is written. */
export function inspectStorages(config: StaticConfig, diagnostics: Diagnostics): StoredCertificate[] {
  return acmeOf(config).flatMap(([name, acme]) => {
    const place = config.at("certificatesResolvers", name, "acme", "storage");
    const about: Subject = { kind: "resolver", name };
    const read = new AcmeStorage(acme.storage).read(name);
    if (read.kind === "error") {
      diagnostics.error("acme-storage", place, read.message, about);
      return [];
    }
    const directory = dirname(resolve(acme.storage));
    try {
      accessSync(directory, constants.W_OK);
    } catch (error) {
      diagnostics.error(
        "acme-storage",
        place,
        `the storage cannot be written: ${directory}: ${describeError(error)}`,
        about,
      );
    }
    const { whole, problems } = sortOut(acme.storage, read.value.certificates);
    for (const problem of problems) diagnostics.warn("acme-certificate", place, problem, about);
    return whole;
  });
}
