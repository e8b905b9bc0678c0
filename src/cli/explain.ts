// sluice explain: which router, certificate and servers a client would get, and why no other router. It starts and writes nothing, and
// dials only with --check.

import { type Diagnostics, formatDiagnostic } from "../config/diagnostics.ts";
import type { EntryPointConfig } from "../config/entry-points.ts";
import type { StaticConfig } from "../config/static.ts";
import { type ClientOptions, readClient } from "../explain/client.ts";
import { Explainer } from "../explain/explainer.ts";
import type { Explanation, ServiceNode } from "../explain/explanation.ts";
import { textOf, verdictOf } from "../explain/text.ts";
import { printable } from "../text/printable.ts";
import { suggestion } from "../text/spelling.ts";
import { count } from "../text/words.ts";
import { issueDefaultCertificate } from "../tls/default-certificate.ts";
import { readClientChain } from "./client-certificate.ts";
import { filesAfterStart, loadOffline, providerNamed } from "./offline.ts";
import { type Given, printDiagnostics, readStatic } from "./static-file.ts";
import type { Terminal } from "./terminal.ts";

export interface ExplainOptions extends ClientOptions {
  readonly configFile?: string;
  readonly entryPoint?: string;
  readonly json?: boolean;
  /** Read this provider alone. */
  readonly provider?: string;
  /** Check the servers now. */
  readonly check?: boolean;
}

/** @returns the exit code: 0 when the client is served on one of the entry points, from wherever it may come, and nothing is wrong. */
export async function explain(given: Given, options: ExplainOptions, terminal: Terminal): Promise<number> {
  const fail = (line: string) => {
    terminal.error(printable(line));
    return 1;
  };
  const chain = options.cert ? readClientChain(options.cert) : [];
  if (typeof chain === "string") return fail(`--cert: ${chain}`);
  const client = readClient(options, chain);
  if (typeof client === "string") return fail(client);
  const { config, diagnostics } = readStatic(given);
  if (config === null) {
    printDiagnostics(diagnostics, terminal);
    return 1;
  }
  const points = pointsOf(config, options.entryPoint);
  if (typeof points === "string") return fail(points);
  const only = options.provider === undefined ? undefined : providerNamed(config, options.provider);
  if (typeof only === "string") return fail(only);
  const explainer = await prepare(config, diagnostics, only?.name);
  printErrors(diagnostics, terminal);
  if (explainer === null)
    return fail("the configuration cannot be loaded, so no client is served: mend what is said above first");
  let byPoint: Explanation[][];
  try {
    const ask = () => points.map((point) => explainer.explain(point, client));
    byPoint = ask();
    if (options.check) {
      const { checkServers } = await import("./server-checks.ts");
      explainer.take(await checkServers(explainer.compiled, servicesIn(byPoint.flat())));
      byPoint = ask();
    }
  } catch (error) {
    return fail((error as Error).message);
  }
  const served = byPoint.some((cases) => cases.every(({ verdict }) => verdict.served));
  const { errors, warnings } = diagnostics;
  const lines = options.json
    ? JSON.stringify({ served, errors, warnings, explanations: byPoint.flat() }, null, 2).split("\n")
    : byPoint.flatMap((cases, index) => [...(index === 0 ? [] : [""]), ...linesOf(cases)]);
  terminal.log(lines.map(printable).join("\n"));
  return served && errors === 0 ? 0 : 1;
}

/** The load balancers that a client may come to. */
function servicesIn(explanations: readonly Explanation[]): Set<string> {
  const names = new Set<string>();
  const add = (node: ServiceNode): void => {
    if (node.kind === "loadBalancer") names.add(node.name);
    node.services.forEach(add);
  };
  for (const { service } of explanations) if (service !== null) add(service.tree);
  return names;
}

/** Warnings are for `check`: a thousand of them would bury the answer. */
function printErrors({ list, warnings }: Diagnostics, terminal: Terminal): void {
  for (const each of list) if (each.severity === "error") terminal.error(formatDiagnostic(each));
  if (warnings > 0) terminal.error(`${count(warnings, "warning")}: see sluice check`);
}

const CONNECT_OPTIONS = "what it says with --clientId, --username or --no-username, and --mqttVersion";

function linesOf(cases: readonly Explanation[]): string[] {
  const [first] = cases;
  if (cases.length === 1) return textOf(first!);
  const { name } = first!.entryPoint;
  const byAddress = cases.some(({ client }) => client.from.join() !== first!.client.from.join());
  const byConnect = cases.some(
    ({ connect }) => connect !== null && (connect.when !== null || connect.unless.length > 0),
  );
  const on = [...(byAddress ? ["where the client comes from"] : []), ...(byConnect ? ["what its CONNECT says"] : [])];
  const give = [...(byAddress ? ["an address with --from"] : []), ...(byConnect ? [CONNECT_OPTIONS] : [])];
  const networks = byAddress ? "; of networks that hold one another the narrowest counts" : "";
  return [
    `on ${name} it depends on ${on.join(" and on ")}${networks}:`,
    ...cases.map((each) => `  ${verdictOf(each)}`),
    `give ${give.join(", and ")} to see more`,
  ];
}

/** @returns a line for the operator when there is no such entry point. */
function pointsOf(config: StaticConfig, wanted: string | undefined): EntryPointConfig[] | string {
  const serving = [...config.entryPoints.values()].filter((point) => !point.admin);
  if (wanted === undefined) return serving;
  const point = config.entryPoints.get(wanted);
  if (point?.admin) return `--entryPoint: "${wanted}" serves HTTP, and no routers`;
  const names = serving.map(({ name }) => name);
  return point === undefined
    ? `--entryPoint: "${wanted}" does not exist${suggestion(wanted, names)}: there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}`
    : [point];
}

/** Loads the configuration as a start would, of all providers or only one; null when the load is refused. */
export async function prepare(
  config: StaticConfig,
  diagnostics: Diagnostics,
  only?: string,
): Promise<Explainer | null> {
  const selfSigned = await issueDefaultCertificate();
  const { compiled, merged } = await loadOffline(config, diagnostics, await filesAfterStart(config), selfSigned, only);
  return compiled === null ? null : new Explainer(compiled, merged!, diagnostics);
}
