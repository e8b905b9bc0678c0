// Now: what is going on at this moment and in the last quarter of an hour. A storm is to be seen at a glance.

import { ROUTINE_ENDS } from "../../../observe/routine-ends.ts";
import { bytes, number, rate, since } from "../format.ts";
import { useLive } from "../live.ts";
import { ServerState, State, Table, Until } from "../parts.tsx";
import { Plot } from "../plot.tsx";
import type { Figure, HistorySample, LogEvent, ServerLook } from "../shapes.ts";

const NAMES = [
  "sluice_entrypoint_open_connections",
  "sluice_connections_total",
  "sluice_router_open_connections",
  "sluice_router_bytes_total",
  "sluice_newcomers",
  "sluice_admission_waiting",
  "sluice_connections_limit",
  "sluice_workers",
].join(",");

const ROUTINE: ReadonlySet<string> = new Set(ROUTINE_ENDS);

export function Now() {
  const history = useLive<{ samples: HistorySample[] }>("sluice/history", 5000);
  const figures = useLive<{ at: string; figures: Figure[] }>(`sluice/figures?names=${NAMES}`);
  const servers = useLive<{ servers: ServerLook[] }>("sluice/servers", 5000);
  const events = useLive<{ events: LogEvent[] }>("sluice/events?level=warn", 5000);
  if (figures.data === null) return <Until failure={figures.failure} what="figures" />;
  const of = (name: string) => figures.data!.figures.filter((each) => each.name === name);
  const sum = (name: string) => of(name).reduce((total, { value }) => total + value, 0);
  const samples = history.data?.samples ?? [];
  const rates = ratesOf(samples);
  const last = rates.at(-1);
  const open = sum("sluice_entrypoint_open_connections");
  const limit = sum("sluice_connections_limit");
  const down = (servers.data?.servers ?? []).filter(({ health }) => health === "down");
  return (
    <>
      <dl class="cards">
        <Card title="Connections" value={number(open)} note={limit > 0 ? `of ${number(limit)} that may be` : ""} />
        <Card
          title="New"
          value={last ? `${rate(last.accepted)}/s` : "-"}
          note={`${number(sum("sluice_newcomers"))} on their way in`}
        />
        <Card
          title="Handshakes"
          value={last ? `${rate(last.handshakes)}/s` : "-"}
          note={last ? `${rate(last.handshakeFailures)}/s fail` : ""}
          isBad={(last?.handshakeFailures ?? 0) > 1}
        />
        <Card
          title="Refused"
          value={last ? `${rate(last.refused)}/s` : "-"}
          note={`${number(sum("sluice_admission_waiting"))} wait`}
          isBad={(last?.refused ?? 0) > 1}
        />
        <Card title="From clients" value={last ? `${bytes(last.bytesIn)}/s` : "-"} note="" />
        <Card title="To clients" value={last ? `${bytes(last.bytesOut)}/s` : "-"} note="" />
        <Card
          title="Servers down"
          value={servers.data === null ? "-" : number(down.length)}
          note={`of ${number(servers.data?.servers.length ?? 0)}`}
          isBad={down.length > 0}
        />
      </dl>
      <div class="plots">
        <Plot
          title="Open connections"
          times={rates.map(({ at }) => at)}
          format={number}
          lines={[{ label: "open", color: "blue", values: rates.map((each) => each.open) }]}
        />
        <Plot
          title="Per second"
          times={rates.map(({ at }) => at)}
          format={rate}
          lines={[
            { label: "new", color: "blue", values: rates.map((each) => each.accepted) },
            { label: "handshakes", color: "green", values: rates.map((each) => each.handshakes) },
            { label: "refused", color: "red", values: rates.map((each) => each.refused) },
          ]}
        />
        <Plot
          title="Bytes per second"
          times={rates.map(({ at }) => at)}
          format={bytes}
          lines={[
            { label: "from clients", color: "green", values: rates.map((each) => each.bytesIn) },
            { label: "to clients", color: "violet", values: rates.map((each) => each.bytesOut) },
          ]}
        />
      </div>
      <div class="columns">
        <section>
          <h2>Entry points</h2>
          <Table
            caption="Entry points"
            head={[
              "Entry point",
              { text: "Open", number: true },
              { text: "On their way in", number: true },
              { text: "Wait", number: true },
            ]}
            empty="There is none."
          >
            {of("sluice_entrypoint_open_connections").map(({ labels, value }) => (
              <tr key={labels.entrypoint}>
                <th scope="row">
                  <a href={`#/clients?entryPoint=${encodeURIComponent(String(labels.entrypoint))}`}>
                    {labels.entrypoint}
                  </a>
                </th>
                <td class="number">{number(value)}</td>
                <td class="number">{number(figureOf(of("sluice_newcomers"), "entrypoint", labels.entrypoint))}</td>
                <td class="number">
                  {number(figureOf(of("sluice_admission_waiting"), "entrypoint", labels.entrypoint))}
                </td>
              </tr>
            ))}
          </Table>
          <h2>Refusals so far</h2>
          <Refused figures={of("sluice_connections_total")} />
        </section>
        <section>
          <h2>Busiest routes</h2>
          <Busiest open={of("sluice_router_open_connections")} moved={of("sluice_router_bytes_total")} />
          <h2>Servers</h2>
          {servers.data === null ? (
            <Until failure={servers.failure} what="servers" />
          ) : (
            <Servers all={servers.data.servers} />
          )}
        </section>
      </div>
      <section>
        <h2>Warnings and errors</h2>
        {events.data === null ? (
          <Until failure={events.failure} what="events" />
        ) : (
          <Table
            caption="Warnings and errors"
            head={["Ago", "Level", "What"]}
            empty="None since Sluice started, or none that is still known."
          >
            {events.data.events
              .slice(-12)
              .reverse()
              .map(({ id, at, level, message, fields }) => (
                <tr key={id}>
                  <td class="nowrap">{since(at)}</td>
                  <td>
                    <State kind={level === "warn" ? "warn" : "bad"}>{level}</State>
                  </td>
                  <td class="wrap">
                    {message} <span class="muted">{factsOf(fields)}</span>
                  </td>
                </tr>
              ))}
          </Table>
        )}
      </section>
    </>
  );
}

function Card({
  title,
  value,
  note,
  isBad = false,
}: {
  readonly title: string;
  readonly value: string;
  readonly note: string;
  readonly isBad?: boolean;
}) {
  return (
    <div class={isBad ? "card bad" : "card"}>
      <dt>{title}</dt>
      <dd>
        {value}
        <span class="note">{note || "\u00a0"}</span>
      </dd>
    </div>
  );
}

interface Rates {
  readonly at: number;
  readonly open: number;
  readonly accepted: number;
  readonly refused: number;
  readonly handshakes: number;
  readonly handshakeFailures: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What has come between each sample and the one before it, per second. A worker that has died takes nothing back. */
function ratesOf(samples: readonly HistorySample[]): Rates[] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index]!;
    const seconds = Math.max(0.5, (sample.at - before.at) / 1000);
    const per = (now: number, then: number) => Math.max(0, (now - then) / seconds);
    return {
      at: sample.at / 1000,
      open: sample.open,
      accepted: per(sample.open + sample.ended, before.open + before.ended),
      refused: per(sample.refused, before.refused),
      handshakes: per(sample.handshakes, before.handshakes),
      handshakeFailures: per(sample.handshakeFailures, before.handshakeFailures),
      bytesIn: per(sample.bytesIn, before.bytesIn),
      bytesOut: per(sample.bytesOut, before.bytesOut),
    };
  });
}

function figureOf(figures: readonly Figure[], label: string, value: string | number | undefined): number {
  return figures.filter(({ labels }) => labels[label] === value).reduce((sum, each) => sum + each.value, 0);
}

function Refused({ figures }: { readonly figures: readonly Figure[] }) {
  const byReason = new Map<string, number>();
  for (const { labels, value } of figures)
    if (!ROUTINE.has(String(labels.result)) && value > 0)
      byReason.set(String(labels.result), (byReason.get(String(labels.result)) ?? 0) + value);
  const all = [...byReason].sort((a, b) => b[1] - a[1]);
  const most = all[0]?.[1] ?? 1;
  return (
    <Table
      caption="Refusals by reason"
      head={["Reason", { text: "Clients", number: true }, "Share"]}
      empty="Nobody has been refused."
    >
      {all.slice(0, 12).map(([reason, count]) => (
        <tr key={reason}>
          <th scope="row">
            <a href={`#/refusals?reason=${encodeURIComponent(reason)}`}>{reason}</a>
          </th>
          <td class="number">{number(count)}</td>
          <td class="fill">
            <meter min={0} max={most} value={count} aria-hidden="true" />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Busiest({ open, moved }: { readonly open: readonly Figure[]; readonly moved: readonly Figure[] }) {
  const bytesOf = (router: unknown, direction: string) =>
    moved
      .filter(({ labels }) => labels.router === router && labels.direction === direction)
      .reduce((sum, { value }) => sum + value, 0);
  const all = [...open].sort((a, b) => b.value - a.value);
  return (
    <>
      <Table
        caption="Busiest routes"
        head={[
          "Router",
          "Service",
          { text: "Open", number: true },
          { text: "In", number: true },
          { text: "Out", number: true },
        ]}
        empty="No client has been routed yet."
      >
        {all.slice(0, 8).map(({ labels, value }) => (
          <tr key={`${labels.router} ${labels.service}`}>
            <th scope="row">
              <a href={`#/routes?search=${encodeURIComponent(String(labels.router))}`}>{labels.router}</a>
            </th>
            <td>{labels.service}</td>
            <td class="number">{number(value)}</td>
            <td class="number nowrap">{bytes(bytesOf(labels.router, "in"))}</td>
            <td class="number nowrap">{bytes(bytesOf(labels.router, "out"))}</td>
          </tr>
        ))}
      </Table>
      {all.length > 8 && <p class="muted">8 of {number(all.length)}</p>}
    </>
  );
}

function Servers({ all }: { readonly all: readonly ServerLook[] }) {
  const worst = [...all].sort((a, b) => Number(b.health === "down") - Number(a.health === "down") || b.open - a.open);
  return (
    <>
      <Table caption="Servers" head={["Server", "Health", { text: "Open", number: true }]} empty="There is none.">
        {worst.slice(0, 8).map((each) => (
          <tr key={`${each.service} ${each.address}`}>
            <th scope="row">
              <a href="#/brokers">{each.address}</a>
            </th>
            <td>
              <ServerState server={each} />
            </td>
            <td class="number">{number(each.open)}</td>
          </tr>
        ))}
      </Table>
      {all.length > 8 && <p class="muted">8 of {number(all.length)}</p>}
    </>
  );
}

function factsOf(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
