// What providers offer as one configuration. Each provider has names of its own; of two equal ones in its files the first wins, and
// the second one hears of it.

import type { CertificateConfig, CertificateDirectoryConfig } from "../config/certificate.ts";
import { type Diagnostics, formatPlace, type Place, type Subject } from "../config/diagnostics.ts";
import type { DynamicFile, GeneratedCertificateConfig, Places } from "../config/dynamic.ts";
import type { MiddlewareConfig } from "../config/middlewares.ts";
import { bareName, DEFAULT_OPTIONS, fullName } from "../config/names.ts";
import type { RouterConfig } from "../config/router.ts";
import type { ServiceConfig } from "../config/service.ts";
import type { Path } from "../config/source.ts";
import { subjectAt } from "../config/subject.ts";
import type { TlsOptionsConfig } from "../config/tls-options.ts";
import type { TransportConfig } from "../config/transport.ts";

/** Something named in a file, and how to say where any part of it stands. */
export interface Item<T> {
  readonly value: T;
  at(...rest: Path): Place;
  /** The same, or null where nothing is written. */
  from(...rest: Path): Place | null;
  /** What it is from, as it stands behind the @ in its name. */
  readonly provider: string;
  /** It has a field that Sluice lacks and cannot ignore, which a diagnostic says. */
  readonly off: boolean;
}

/** Everything under its full name, `name@provider`. */
export interface Merged {
  readonly routers: Map<string, Item<RouterConfig>>;
  readonly services: Map<string, Item<ServiceConfig>>;
  readonly middlewares: Map<string, Item<MiddlewareConfig>>;
  readonly transports: Map<string, Item<TransportConfig>>;
  readonly options: Map<string, Item<TlsOptionsConfig>>;
  readonly certificates: Item<CertificateConfig>[];
  readonly certificateDirectories: Item<CertificateDirectoryConfig>[];
  defaultCertificate: Item<CertificateConfig> | null;
  /** The default certificate that a resolver is to obtain. */
  defaultGenerated: Item<GeneratedCertificateConfig> | null;
  /** Providers with a mistake after which it is not known which names are whose: nothing of what they offer may be used. */
  readonly refused: Set<string>;
}

/** There may be 100 000 of them, so none has functions of its own until it is asked for a place. */
class FileItem<T> implements Item<T> {
  readonly value: T;
  readonly provider: string;
  readonly off: boolean;
  readonly #source: Places;
  readonly #path: Path;

  constructor(value: T, provider: string, off: boolean, source: Places, path: Path) {
    this.value = value;
    this.provider = provider;
    this.off = off;
    this.#source = source;
    this.#path = path;
  }

  get at(): Item<T>["at"] {
    return (...rest) => this.#source.locate([...this.#path, ...rest]);
  }

  get from(): Item<T>["from"] {
    return (...rest) => this.#source.find([...this.#path, ...rest]);
  }
}

/** `former` is what is in force; null where nothing is. */
export function merge(files: readonly DynamicFile[], diagnostics: Diagnostics, former: Merged | null = null): Merged {
  const merged: Merged = {
    routers: new Map(),
    services: new Map(),
    middlewares: new Map(),
    transports: new Map(),
    options: new Map(),
    certificates: [],
    certificateDirectories: [],
    defaultCertificate: null,
    defaultGenerated: null,
    refused: new Set(),
  };
  for (const { value, source, provider, unsupported } of files) {
    const off = new Set<string>();
    for (const lack of unsupported) {
      const message = `${lack.path.join(".")} ${lack.why}`;
      const about = subjectAt(lack.path, provider);
      if (lack.effect === "warn") diagnostics.warn("field-ignored", lack.place, message, about);
      else {
        const [, kind, name] = lack.path;
        const effect = `the ${String(kind).replace(/s$/, "")} "${name}" is off`;
        diagnostics.error(lack.code ?? "field-unsupported", lack.place, `${message}: ${effect}`, about);
        off.add(lack.path.slice(0, 3).join("\0"));
      }
    }
    const item = <T>(value: T, ...path: Path): Item<T> =>
      new FileItem(value, provider, off.size > 0 && off.has(path.slice(0, 3).join("\0")), source, path);
    const add = <T>(
      kind: string,
      into: Map<string, Item<T>>,
      served: ReadonlyMap<string, Item<T>> | undefined,
      entries: Record<string, T>,
      ...path: Path
    ) => {
      for (const [name, entry] of Object.entries(entries)) {
        const made = item(entry, ...path, name);
        const isForAll = kind === "TLS option" && name === DEFAULT_OPTIONS;
        const key = isForAll ? name : fullName(name, provider);
        const about = subjectAt([...path, name], provider);
        const other = into.get(key);
        if (name.includes("@")) {
          diagnostics.error(
            "name-invalid",
            made.at(),
            `the ${kind} "${name}": a name must not contain @, which stands before the provider`,
            about,
          );
          // A router has names that others would get, and the options called default are every router's that names none.
          if (kind === "router" || (kind === "TLS option" && bareName(name) === DEFAULT_OPTIONS))
            merged.refused.add(provider);
        } else if (other === undefined) into.set(key, made);
        else if (other.provider === provider && served?.get(key)?.at().file === source.name) {
          // What served would be something else from now on, and perhaps a weaker door. A copy of a file is like that.
          diagnostics.error(
            "name-twice",
            made.at(),
            `the ${kind} "${name}" is now in ${other.at().file} too, which would win: give one of them another name`,
            about,
          );
          merged.refused.add(provider);
        } else if (other.provider === provider)
          diagnostics.warn(
            "name-twice",
            made.at(),
            `the ${kind} "${name}" is configured already in ${other.at().file}, which wins`,
            about,
          );
        else {
          diagnostics.error(
            "name-twice",
            made.at(),
            `the ${kind} "${name}" is for all providers, and "${other.provider}" has it already, in ${formatPlace(other.at())}: give one of them another name`,
            about,
          );
          merged.refused.add(provider).add(other.provider);
        }
      }
    };
    add("router", merged.routers, former?.routers, value.tcp.routers, "tcp", "routers");
    add("service", merged.services, former?.services, value.tcp.services, "tcp", "services");
    add("middleware", merged.middlewares, former?.middlewares, value.tcp.middlewares, "tcp", "middlewares");
    add(
      "serversTransport",
      merged.transports,
      former?.transports,
      value.tcp.serversTransports,
      "tcp",
      "serversTransports",
    );
    add("TLS option", merged.options, former?.options, value.tls.options, "tls", "options");
    for (const [index, pair] of value.tls.certificates.entries())
      merged.certificates.push(item(pair, "tls", "certificates", index));
    for (const [index, entry] of value.tls.certificateDirectories.entries())
      merged.certificateDirectories.push(item(entry, "tls", "certificateDirectories", index));
    for (const [name, store] of Object.entries(value.tls.stores)) {
      const made = item(store, "tls", "stores", name);
      const about: Subject = { kind: "store", name };
      if (name !== "default") {
        diagnostics.warn(
          "store-unused",
          made.at(),
          `the store "${name}" is not used: only the store "default" is, as in Traefik`,
          about,
        );
        continue;
      }
      const once = <T>(
        taken: Item<T> | null,
        field: "defaultCertificate" | "defaultGeneratedCert",
        value: T,
      ): Item<T> => {
        if (taken === null) return item(value, "tls", "stores", name, field);
        const message = "a default certificate is configured already, which wins";
        diagnostics.warn("default-certificate-twice", made.at(field), message, about);
        return taken;
      };
      const { defaultCertificate, defaultGeneratedCert } = store;
      if (defaultCertificate !== undefined)
        merged.defaultCertificate = once(merged.defaultCertificate, "defaultCertificate", defaultCertificate);
      if (defaultGeneratedCert !== undefined)
        merged.defaultGenerated = once(merged.defaultGenerated, "defaultGeneratedCert", defaultGeneratedCert);
    }
  }
  if (merged.defaultCertificate !== null && merged.defaultGenerated !== null) {
    diagnostics.warn(
      "fields-conflict",
      merged.defaultGenerated.at(),
      "defaultCertificate is given too, which wins, as in Traefik: no default certificate is obtained",
      { kind: "store", name: "default" },
    );
    merged.defaultGenerated = null;
  }
  return merged;
}
