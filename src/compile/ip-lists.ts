// ipAllowList and ipDenyList of the configuration as rows, and their files in parts.

import type { CertificateFiles, Parsed } from "../certs/files.ts";
import type { Diagnostics, Subject } from "../config/diagnostics.ts";
import type { IpListConfig } from "../config/ip-lists.ts";
import type { Network } from "../ip/address.ts";
import { type NetworkFault, problemOf, readNetworkFile } from "../ip/network-list.ts";
import { splitNetworks } from "../ip/network-parts.ts";
import { NetworkSet } from "../ip/network-set.ts";
import type { IpListRow } from "../middlewares/ip-lists.ts";
import type { CompiledMiddleware, MiddlewareFault } from "./middleware-fault.ts";

/** Faulty lines of one file that have a diagnostic of their own. */
const MAX_LINES = 20;

/** A file as it is kept from one load to the next. */
interface NetworkFile extends ReturnType<typeof splitNetworks> {
  /** What counts now: for a deny list with faulty lines also what counted before. */
  readonly networks: readonly Network[];
  readonly faults: readonly NetworkFault[];
  readonly faultCount: number;
}

type Kind = IpListRow["kind"];

/** The files of networks of one load. */
export class NetworkFiles {
  /** The parts of them, by their names: what goes to the workers. */
  readonly texts = new Map<string, string>();
  readonly #files: CertificateFiles;
  readonly #diagnostics: Diagnostics;
  /** Files whose lines have been looked at. */
  readonly #seen = new Set<string>();

  constructor(files: CertificateFiles, diagnostics: Diagnostics) {
    this.#files = files;
    this.#diagnostics = diagnostics;
  }

  row(kind: Kind, { sourceRange = [], sourceFile }: IpListConfig, about: Subject): CompiledMiddleware {
    const faults: MiddlewareFault[] = [];
    for (const [index, network] of sourceRange.entries()) {
      const problem = problemOf(network);
      if (typeof problem !== "string") continue;
      faults.push({ code: "middleware-value", path: ["sourceRange", index], message: problem });
      return { row: null, faults };
    }
    if (sourceFile === undefined) return { row: { kind, sourceRange, sourceFile: null }, faults };
    const outcome = this.#files.text(sourceFile, parse, {
      as: kind,
      combine: kind === "ipDenyList" ? denyAtLeast : undefined,
    });
    if (outcome.kind === "error") faults.push({ code: outcome.code, path: ["sourceFile"], message: outcome.message });
    else if (!this.#seen.has(`${kind} ${sourceFile}`)) this.#tell(kind, sourceFile, outcome.value, about);
    this.#seen.add(`${kind} ${sourceFile}`);
    const file = outcome.kind === "ok" ? outcome.value : outcome.former;
    if (file === null) return { row: null, faults };
    for (const [name, text] of file.parts) this.texts.set(name, text);
    return { row: { kind, sourceRange, sourceFile: file.list }, faults };
  }

  #tell(kind: Kind, file: string, { list, faults, faultCount }: NetworkFile, about: Subject): void {
    const whole = { file, line: 0, column: 0 };
    const shown = faults.slice(0, MAX_LINES);
    for (const { line, message } of shown)
      this.#diagnostics.error("network-line", { file, line, column: 1 }, message, about);
    if (faultCount > shown.length)
      this.#diagnostics.error("network-line", whole, `${faultCount - shown.length} more lines cannot be used`, about);
    if (list.count === 0 && kind === "ipAllowList")
      this.#diagnostics.warn("network-file-empty", whole, "it has no network: nobody comes in by this file", about);
  }
}

function parse(text: string): Parsed<NetworkFile> {
  const read = readNetworkFile(text);
  if (read.kind === "bad") return { kind: "error", code: "network-file", message: read.message };
  return { kind: "ok", value: fileOf(read) };
}

function fileOf({
  networks,
  faults,
  faultCount,
}: Pick<NetworkFile, "networks" | "faults" | "faultCount">): NetworkFile {
  return { ...splitNetworks(NetworkSet.of(networks), networks.length), networks, faults, faultCount };
}

/** A line that cannot be read may be one that kept somebody out: who was out before stays out until the file is mended. */
function denyAtLeast(file: NetworkFile, former: NetworkFile): NetworkFile {
  return file.faultCount === 0 ? file : fileOf({ ...file, networks: [...file.networks, ...former.networks] });
}
