// Configuration: what came of the last loads, where routes come from, and the static values in force.

import { ask } from "../api.ts";
import { clock, number, since } from "../format.ts";
import { useLive } from "../live.ts";
import { attempt, State, Table, Until } from "../parts.tsx";
import type { Diagnostic, Load } from "../shapes.ts";

interface Provider {
  readonly name: string;
  readonly state: "up" | "away" | "refused";
  readonly lastSuccess: string | null;
  readonly diagnostics: readonly Diagnostic[];
}

interface Process {
  readonly role: string;
  readonly pid: number;
  readonly memory: number | null;
  readonly cpuSeconds: number | null;
  readonly descriptors: number | null;
}

export function Configuration() {
  const loads = useLive<{ loads: Load[] }>("sluice/loads", 3000);
  const providers = useLive<{ providers: Provider[] }>("sluice/providers", 5000);
  const diagnostics = useLive<{ version: number; loadedAt: string; diagnostics: Diagnostic[] }>(
    "sluice/diagnostics",
    5000,
  );
  const values = useLive<{ value: Record<string, unknown> }>("sluice/configuration", 60_000);
  const processes = useLive<{ startedAt: string; processes: Process[] }>("sluice/processes", 5000);
  const reload = () =>
    attempt(() => ask("sluice/reload", { method: "POST" }).then(loads.refresh), "Everything is read anew.");
  return (
    <>
      <p class="bar">
        <button type="button" onClick={() => void reload()}>
          Reload
        </button>
        {diagnostics.data !== null && (
          <span class="muted" role="status">
            version {number(diagnostics.data.version)} is in force since {clock(diagnostics.data.loadedAt)},{" "}
            {number(diagnostics.data.diagnostics.length)}{" "}
            {diagnostics.data.diagnostics.length === 1 ? "message" : "messages"}
          </span>
        )}
      </p>
      <section>
        <h2>What is wrong now</h2>
        {diagnostics.data === null ? (
          <Until failure={diagnostics.failure} what="messages" />
        ) : (
          <Said all={diagnostics.data.diagnostics} />
        )}
      </section>
      <div class="columns">
        <section>
          <h2>Providers</h2>
          {providers.data === null ? (
            <Until failure={providers.failure} what="providers" />
          ) : (
            <Table caption="Providers" head={["Provider", "State", "Last read"]} empty="There is none.">
              {providers.data.providers.map(({ name, state, lastSuccess }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td>
                    <State kind={state === "up" ? "good" : state === "away" ? "bad" : "warn"}>
                      {state === "refused" ? "its newest offer is refused" : state}
                    </State>
                  </td>
                  <td>{lastSuccess === null ? "-" : `${since(lastSuccess)} ago`}</td>
                </tr>
              ))}
            </Table>
          )}
        </section>
        <section>
          <h2>Processes</h2>
          {processes.data === null ? (
            <Until failure={processes.failure} what="processes" />
          ) : (
            <Table
              caption="Processes"
              head={[
                "Process",
                { text: "Pid", number: true },
                { text: "Memory", number: true },
                { text: "CPU", number: true },
                { text: "Descriptors", number: true },
              ]}
              empty="There is none."
            >
              {processes.data.processes.map(({ role, pid, memory, cpuSeconds, descriptors }) => (
                <tr key={pid}>
                  <th scope="row">{role}</th>
                  <td class="number">{pid}</td>
                  <td class="number">{memory === null ? "-" : `${number(memory / 1e6)} MB`}</td>
                  <td class="number">{cpuSeconds === null ? "-" : `${number(cpuSeconds)} s`}</td>
                  <td class="number">{descriptors ?? "-"}</td>
                </tr>
              ))}
            </Table>
          )}
        </section>
      </div>
      <section>
        <h2>Loads</h2>
        {loads.data === null ? (
          <Until failure={loads.failure} what="loads" />
        ) : (
          <ol class="loads">
            {loads.data.loads.map((load) => (
              <li key={load.at}>
                <p>
                  <b>{new Date(load.at).toLocaleString("en-GB")}</b>{" "}
                  <State kind={load.result === "loaded" ? (load.errors > 0 ? "warn" : "good") : "bad"}>
                    {load.result}
                  </State>{" "}
                  <span class="muted">
                    {number(load.durationMs)} ms, {number(load.changes)} changes, {number(load.errors)} errors,{" "}
                    {number(load.warnings)} warnings
                    {load.refused.length > 0 && `, refused: ${load.refused.join(", ")}`}
                  </span>
                </p>
                {load.changed.length > 0 && load.version !== 1 && (
                  <details>
                    <summary>
                      {number(load.changed.length)} of {number(load.changes)} changes
                    </summary>
                    <ul class="changes">
                      {load.changed.map(({ kind, name, change }) => (
                        <li key={`${kind} ${name}`} class={change}>
                          <span aria-hidden="true">{change === "added" ? "+" : change === "removed" ? "-" : "~"}</span>{" "}
                          {kind} {name} <span class="muted">{change}</span>
                        </li>
                      ))}
                    </ul>
                  </details>
                )}
                {load.diagnostics.length > 0 && (
                  <details>
                    <summary>{number(load.diagnostics.length)} messages</summary>
                    <Said all={load.diagnostics} />
                  </details>
                )}
              </li>
            ))}
          </ol>
        )}
      </section>
      <section>
        <h2>Static values in force</h2>
        {values.data === null ? (
          <Until failure={values.failure} what="values" />
        ) : (
          <details>
            <summary>All of them, defaults too, secrets covered</summary>
            <pre tabIndex={0}>{JSON.stringify(values.data.value, null, 2)}</pre>
          </details>
        )}
      </section>
    </>
  );
}

function Said({ all }: { readonly all: readonly Diagnostic[] }) {
  return (
    <Table caption="Messages" head={["Severity", "Place", "Message", "Code"]} empty="Nothing.">
      {all.slice(0, 200).map(({ severity, code, message, place }, index) => (
        <tr key={index}>
          <td>
            <State kind={severity === "error" ? "bad" : "warn"}>{severity}</State>
          </td>
          <td class="place">
            {place.file}:{place.line}:{place.column}
          </td>
          <td class="wrap">{message}</td>
          <td class="nowrap">
            <code>{code}</code>
          </td>
        </tr>
      ))}
    </Table>
  );
}
