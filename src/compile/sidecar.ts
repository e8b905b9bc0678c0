// The section `sidecar` of the static configuration as the dynamic configuration that it stands for.

import { developmentFiles } from "../authority/development-files.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, decodeDynamic } from "../config/dynamic.ts";
import { parsePort } from "../config/scalars.ts";
import { type Path, SourceFile } from "../config/source.ts";
import type { StaticConfig } from "../config/static.ts";

const KEY_PASSWORD = ["keyPassword", "keyPasswordFile"] as const;
const KEY_STORE = ["keyStore", "keyStoreType", "keyStorePassword", "keyStorePasswordFile", "keyAlias"] as const;

/** Everyone is terminated and goes to the one broker. Each value has the place of the one that it is made from. null without a sidecar. */
export function sidecarFile(config: StaticConfig): DynamicFile | null {
  const { sidecar, developmentCertificate } = config;
  if (sidecar === undefined) return null;
  const diagnostics = new Diagnostics();
  const source = new SourceFile("sidecar", "", diagnostics);
  const set = (path: Path, value: string, ...from: Path) => source.set(path, value, config.at(...from));
  const { address } = sidecar;
  set(["tcp", "routers", "sidecar", "rule"], "HostSNI(`*`)", "sidecar", "address");
  set(["tcp", "routers", "sidecar", "service"], "sidecar", "sidecar", "address");
  set(["tcp", "routers", "sidecar", "tls"], "true", "sidecar", "address");
  const server = ["tcp", "services", "sidecar", "loadBalancer", "servers", 0];
  set([...server, parsePort(address) === null ? "address" : "port"], address, "sidecar", "address");

  /** Takes over those of the fields that are given. */
  const take = (into: Path, fields: readonly (keyof typeof sidecar)[]) => {
    for (const field of fields) {
      const value = sidecar[field];
      if (value !== undefined) set([...into, field], value, "sidecar", field);
    }
  };
  const defaults = ["tls", "stores", "default", "defaultCertificate"];
  const directory = ["tls", "certificateDirectories", 0];
  if (sidecar.certFile !== undefined) take(defaults, ["certFile", "keyFile", ...KEY_PASSWORD]);
  if (sidecar.keyStore !== undefined) take(defaults, [...KEY_STORE, ...KEY_PASSWORD]);
  if (sidecar.certDirectory !== undefined) {
    set([...directory, "directory"], sidecar.certDirectory, "sidecar", "certDirectory");
    set([...directory, "default"], "true", "sidecar", "certDirectory");
    take(directory, KEY_PASSWORD);
  }
  const isNamed = [sidecar.certFile, sidecar.keyStore, sidecar.certDirectory].some((each) => each !== undefined);
  if (!isNamed && developmentCertificate !== undefined) {
    const { cert, key } = developmentFiles(developmentCertificate.directory);
    set([...defaults, "certFile"], cert, "developmentCertificate", "directory");
    set([...defaults, "keyFile"], key, "developmentCertificate", "directory");
  }
  const file = decodeDynamic(source, diagnostics, "internal");
  if (file === null) throw new Error(diagnostics.list.map(({ message }) => message).join("; "));
  return file;
}
