// The section `sidecar` of the static configuration as the dynamic configuration that it stands for.

import { developmentFiles } from "../certs/authority.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { type DynamicFile, decodeDynamic } from "../config/dynamic.ts";
import { parsePort } from "../config/scalars.ts";
import { type Path, SourceFile } from "../config/source.ts";
import type { StaticConfig } from "../config/static.ts";

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

  const defaults = ["tls", "stores", "default", "defaultCertificate"];
  if (sidecar.certFile !== undefined) {
    set([...defaults, "certFile"], sidecar.certFile, "sidecar", "certFile");
    if (sidecar.keyFile !== undefined) set([...defaults, "keyFile"], sidecar.keyFile, "sidecar", "keyFile");
  }
  if (sidecar.certDirectory !== undefined) {
    set(["tls", "certificateDirectories", 0, "directory"], sidecar.certDirectory, "sidecar", "certDirectory");
    set(["tls", "certificateDirectories", 0, "default"], "true", "sidecar", "certDirectory");
  }
  if (sidecar.certFile === undefined && sidecar.certDirectory === undefined && developmentCertificate !== undefined) {
    const { cert, key } = developmentFiles(developmentCertificate.directory);
    set([...defaults, "certFile"], cert, "developmentCertificate", "directory");
    set([...defaults, "keyFile"], key, "developmentCertificate", "directory");
  }
  const file = decodeDynamic(source, diagnostics, "internal");
  if (file === null) throw new Error(diagnostics.list.map(({ message }) => message).join("; "));
  return file;
}
