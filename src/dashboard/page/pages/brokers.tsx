// Brokers: how servers are, what they have, and draining them.

import { useState } from "preact/hooks";
import { ask, encode } from "../api.ts";
import { number } from "../format.ts";
import { useLive } from "../live.ts";
import type { PageProps } from "../page-props.ts";
import { attempt, Question, Search, ServerState, Table, Text, Until } from "../parts.tsx";
import type { ServerLook } from "../shapes.ts";

const MOST = 500;

export function Brokers({ search: address }: PageProps) {
  const { data, failure, refresh } = useLive<{ servers: ServerLook[] }>("sluice/servers");
  const [search, setSearch] = useState(address.get("search") ?? "");
  const [closing, setClosing] = useState<ServerLook | null>(null);
  if (data === null) return <Until failure={failure} what="servers" />;
  const path = ({ service, address }: ServerLook) =>
    `sluice/services/${encode(service)}/servers/${encode(address)}/drain`;
  const undrain = (server: ServerLook) =>
    attempt(
      () => ask(path(server), { method: "DELETE" }).then(refresh),
      `${server.address} is as the configuration says again.`,
    );
  const drain = (server: ServerLook, connections: "keep" | "close") =>
    attempt(
      () => ask(path(server), { method: "PUT", body: { connections } }).then(refresh),
      `${server.address} gets no new connections.`,
      connections === "keep" ? () => void undrain(server) : null,
    );
  const found = data.servers.filter(({ service, address }) =>
    `${service} ${address}`.toLowerCase().includes(search.toLowerCase()),
  );
  const most = Math.max(1, ...found.map(({ open }) => open));
  return (
    <>
      <div class="bar">
        <Search label="Search servers" placeholder="Service or address" value={search} onChange={setSearch} />
        <span class="muted" role="status">
          {number(Math.min(found.length, MOST))} of {number(data.servers.length)}
        </span>
      </div>
      {failure !== null && <p class="error">{failure.message}</p>}
      <Table
        caption="Servers"
        head={[
          "Service",
          "Server",
          "Health",
          { text: "Latency", number: true },
          { text: "Open", number: true },
          "Load",
          { text: "So far", number: true },
          { text: "Errors", number: true },
          "Why",
          "Drain",
        ]}
        empty="No server is so."
      >
        {found.slice(0, MOST).map((server) => (
          <tr key={`${server.service} ${server.address}`}>
            <td>{server.service}</td>
            <th scope="row" class="nowrap">
              {server.address}
            </th>
            <td class="nowrap">
              <ServerState server={server} />
            </td>
            <td class="number nowrap">{server.latencyMs === null ? "-" : `${server.latencyMs} ms`}</td>
            <td class="number">
              <a href={`#/clients?server=${encodeURIComponent(server.address)}`}>{number(server.open)}</a>
            </td>
            <td class="fill">
              <meter
                min={0}
                max={server.maxConnections ?? most}
                value={server.open}
                aria-label={`${server.open} open`}
              />
            </td>
            <td class="number">{number(server.connections)}</td>
            <td class="number">{number(server.errors)}</td>
            <td class="wrap">
              <Text of={server.reason} />
            </td>
            <td class="nowrap">
              {server.drain === null ? (
                <>
                  <button
                    type="button"
                    aria-label={`Drain ${server.address}`}
                    onClick={() => void drain(server, "keep")}
                  >
                    Drain
                  </button>{" "}
                  <button
                    type="button"
                    class="danger"
                    aria-label={`Drain and close: ${server.address}`}
                    onClick={() => setClosing(server)}
                  >
                    Drain and close
                  </button>
                </>
              ) : (
                <button type="button" aria-label={`Put back ${server.address}`} onClick={() => void undrain(server)}>
                  Put back
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
      {closing !== null && (
        <Question
          text={`Drain ${closing.address} and close its ${number(closing.open)} connections now?`}
          yes="Drain and close"
          onYes={() => {
            void drain(closing, "close");
            setClosing(null);
          }}
          onNo={() => setClosing(null)}
        />
      )}
    </>
  );
}
