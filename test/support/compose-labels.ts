// The labels of a Compose file, read as Sluice reads those of the containers that are made of it.

import { Diagnostics, formatDiagnostic } from "../../src/config/diagnostics.ts";
import type { DynamicFile } from "../../src/config/dynamic.ts";
import { giveOf } from "../../src/providers/docker/give.ts";
import { mergeParts } from "../../src/providers/docker/parts.ts";
import { FlatConfiguration } from "../../src/providers/flat.ts";

interface Labelled {
  readonly services: Readonly<Record<string, { readonly labels?: Readonly<Record<string, string>> }>>;
}

/** What the services' labels stand for, with what is wrong with them. Each runs, in one network, with port 1883. */
export function readComposeLabels(
  { services }: Labelled,
  entryPoints: readonly string[],
): { readonly file: DynamicFile; readonly problems: readonly string[] } {
  const diagnostics = new Diagnostics();
  const gifts = Object.entries(services).map(([service, { labels = {} }]) =>
    giveOf(
      {
        id: service,
        name: service,
        // Compose writes a $ twice.
        labels: Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, value.replaceAll("$$", "$")])),
        state: "running",
        health: null,
        created: "",
        networkMode: "app",
        networks: [{ name: "app", ipv4: "10.0.0.2", ipv6: "" }],
        ports: [1883],
        bindings: [],
      },
      {
        exposedByDefault: false,
        network: null,
        defaultRule: null,
        constraints: () => true,
        allowEmptyServices: false,
        useBindPortIP: false,
      },
      { networks: null, host: "127.0.0.1" },
      () => null,
    ),
  );
  const { entries, remarks } = mergeParts(gifts.flatMap(({ given }) => (given === null ? [] : [given])));
  for (const { severity, code, place, message } of [...gifts.flatMap((each) => each.remarks), ...remarks])
    diagnostics[severity === "error" ? "error" : "warn"](code, { file: place, line: 0, column: 0 }, message);
  const file = new FlatConfiguration("compose", "docker", new Set(entryPoints)).read(entries, diagnostics);
  return { file, problems: diagnostics.list.map(formatDiagnostic) };
}
