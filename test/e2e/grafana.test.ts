// Grafana reads what deploy/grafana holds: the dashboard conforms to Grafana's own types, and refers to the data source that is
// provisioned. That Prometheus answers its expressions is in prometheus.test.ts.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { typeProblems } from "../support/conforms.ts";
import { dashboard, panels } from "../support/observability.ts";
import { ROOT } from "../support/sluice.ts";

const provisioning = (path: string) => parse(readFileSync(join(ROOT, "deploy/grafana/provisioning", path), "utf8"));
const panelOptions = (name: string, module: string) =>
  `import type { Options as ${name} } from "@grafana/schema/dist/esm/raw/composable/${module.toLowerCase()}/panelcfg/x/${module}PanelCfg_types.gen";`;

/** Grafana's types, with what the Prometheus data source adds to them. */
const TYPES = [
  'import type { AnnotationQuery, Dashboard as Base, FieldConfigSource, GraphFieldConfig, Panel, RowPanel, TableFieldOptions, VariableModel } from "@grafana/schema";',
  panelOptions("Stat", "Stat"),
  panelOptions("Table", "Table"),
  panelOptions("TimeSeries", "TimeSeries"),
  `interface Target { refId: string; datasource: { type: "prometheus"; uid: "sluice-prometheus" }; editorMode: "code"; expr: string;
     legendFormat: string; range: boolean; instant: boolean; format?: "table" }`,
  `type Of<Type extends string, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig" | "targets"> &
     { type: Type; options: Options; fieldConfig: FieldConfigSource<Custom>; targets: Target[] };`,
  `interface Dashboard extends Omit<Base, "annotations" | "templating" | "panels"> {
     annotations: { list: (AnnotationQuery & { expr?: string; titleFormat?: string; textFormat?: string; step?: string })[] };
     templating: { list: (VariableModel & { definition: string })[] };
     panels: (RowPanel | Of<"stat", Stat, {}> | Of<"table", Table, Partial<TableFieldOptions>> | Of<"timeseries", TimeSeries, GraphFieldConfig>)[];
   }`,
];

describe("the dashboard", () => {
  test("conforms to Grafana's types, and would not with a misspelt field or word", async () => {
    const text = JSON.stringify(dashboard);
    const misspelt = (
      [
        ['"gridPos"', '"gridpos"'],
        ['"palette-classic"', '"pallet-classic"'],
        ['"schemaVersion":', '"schemaversion":'],
      ] as const
    ).map(([right, wrong]) => {
      expect(text).toContain(right);
      return JSON.parse(text.replaceAll(right, wrong));
    });
    const claims = [dashboard, ...misspelt].map((value) => ({ type: "Dashboard", value }));
    const [problems, ...found] = await typeProblems(TYPES, claims);
    expect(problems).toBe("");
    for (const each of found) expect(each).toContain("error");
  }, 60_000);

  test("has a fixed uid and no number of its own, as a provisioned one must", () => {
    expect(dashboard.uid).toBe("sluice");
    expect(dashboard.id).toBeUndefined();
    expect(dashboard.schemaVersion).toBe(39); // Grafana 11.0; later ones bring it up to date themselves
  });

  test("refers to the provisioned data source and to no other", () => {
    const [source] = provisioning("datasources/prometheus.yml").datasources;
    const used = new Set([...JSON.stringify(dashboard).matchAll(/"uid":"([^"]*)"/g)].map((match) => match[1]));
    expect([...used].sort()).toEqual(["-- Grafana --", "sluice", source.uid]);
  });

  test("lays its panels out without overlaps, and every number is given once", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = new Set<string>();
    let taken = 0;
    for (const { gridPos } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) cells.add(`${x},${y}`);
      taken += gridPos.w * gridPos.h;
    }
    expect(cells.size).toBe(taken);
  });
});

test("the provider reads the directory that the files say to mount", () => {
  const [provider] = provisioning("dashboards/sluice.yml").providers;
  const text = readFileSync(join(ROOT, "deploy/grafana/provisioning/dashboards/sluice.yml"), "utf8");
  expect(text).toContain(`Mount deploy/grafana/dashboards at ${provider.options.path}.`);
});
