// Routes: entry point, router, middlewares, service and servers as a picture, what is wrong with it, and a dry run.

import { useState } from "preact/hooks";
import { ask, query } from "../api.ts";
import { number } from "../format.ts";
import { useLive, useSettled } from "../live.ts";
import type { PageProps } from "../page-props.ts";
import { notify, Search, Select, ServerState, State, Until } from "../parts.tsx";
import type { Diagnostic, Figure, Router, ServerLook, Service } from "../shapes.ts";

const STATUSES = { "": "All", enabled: "Working", warning: "With a warning", disabled: "Off" } as const;
const SIZE = 50;
const MAX_SERVERS = 6;

export function Routes({ search: address }: PageProps) {
  const [search, setSearch] = useState(address.get("search") ?? "");
  const [status, setStatus] = useState<keyof typeof STATUSES>("");
  const [page, setPage] = useState(1);
  const settled = useSettled(search);
  const overview = useLive<{ tcp: { routers: { total: number; warnings: number; errors: number } } }>("overview", 5000);
  const routers = useLive<Router[]>(
    `tcp/routers${query({ search: settled, status, page, per_page: SIZE + 1, sortBy: "name" })}`,
    5000,
  );
  const services = useLive<Service[]>("tcp/services?per_page=1000", 10_000);
  const servers = useLive<{ servers: ServerLook[] }>("sluice/servers", 5000);
  const figures = useLive<{ figures: Figure[] }>("sluice/figures?names=sluice_router_open_connections", 5000);
  const diagnostics = useLive<{ diagnostics: Diagnostic[] }>("sluice/diagnostics", 5000);
  const total = overview.data?.tcp.routers;
  const open = new Map((figures.data?.figures ?? []).map(({ labels, value }) => [String(labels.router), value]));
  return (
    <>
      <DryRun />
      <div class="bar">
        <Search
          label="Search routes"
          placeholder="Name or rule"
          value={search}
          onChange={(value) => {
            setSearch(value);
            setPage(1);
          }}
        />
        <Select
          label="Show"
          value={status}
          options={STATUSES}
          onChange={(value) => {
            setStatus(value);
            setPage(1);
          }}
        />
        {total !== undefined && (
          <span class="muted" role="status">
            {number(total.total)} routers, {number(total.warnings)} with a warning, {number(total.errors)} off
          </span>
        )}
      </div>
      {routers.data === null ? (
        <Until failure={routers.failure} what="routes" />
      ) : routers.data.length === 0 ? (
        <p class="muted">No router is so.</p>
      ) : (
        <ol class="routes">
          {routers.data.slice(0, SIZE).map((router) => (
            <Route
              key={router.name}
              router={router}
              open={open.get(router.name) ?? 0}
              services={services.data ?? []}
              servers={servers.data?.servers ?? []}
              diagnostics={(diagnostics.data?.diagnostics ?? []).filter(
                ({ about }) => about?.kind === "router" && about.name === router.name,
              )}
            />
          ))}
        </ol>
      )}
      <p class="buttons">
        {page > 1 && (
          <button type="button" onClick={() => setPage(page - 1)}>
            Previous page
          </button>
        )}
        {(routers.data?.length ?? 0) > SIZE && (
          <button type="button" onClick={() => setPage(page + 1)}>
            Next page
          </button>
        )}
      </p>
    </>
  );
}

function Route({
  router,
  open,
  services,
  servers,
  diagnostics,
}: {
  readonly router: Router;
  readonly open: number;
  readonly services: readonly Service[];
  readonly servers: readonly ServerLook[];
  readonly diagnostics: readonly Diagnostic[];
}) {
  const { name, rule = "", using, middlewares = [], tls, status, service = "" } = router;
  const provider = name.slice(name.lastIndexOf("@") + 1);
  const full = service.includes("@") ? service : `${service}@${provider}`;
  const kind = tls === undefined ? "plain" : tls.passthrough ? "passed through" : "TLS ends here";
  return (
    <li class={`route ${status}`}>
      <div class="flow">
        <div class="node">
          <span class="what">Entry point</span>
          {using.length === 0 ? <State kind="bad">none</State> : using.join(", ")}
        </div>
        <div class="node wide">
          <span class="what">Router · {kind}</span>
          <b>{name}</b>
          <code>{rule}</code>
          <span class="line">
            <State kind={status === "enabled" ? "good" : status === "warning" ? "warn" : "bad"}>
              {status === "enabled" ? "works" : status === "warning" ? "works, with a warning" : "off"}
            </State>
            <a href={`#/clients?router=${encodeURIComponent(name)}`}>{number(open)} open</a>
          </span>
        </div>
        {middlewares.length > 0 && (
          <div class="node">
            <span class="what">Middlewares</span>
            {middlewares.map((each) => (
              <span key={each}>{each}</span>
            ))}
          </div>
        )}
        <ServiceNode name={full} services={services} servers={servers} depth={0} />
      </div>
      {diagnostics.map(({ severity, code, message, place }) => (
        <p key={`${code}${place.line}${message}`} class={severity === "error" ? "error" : "warning"}>
          {message}{" "}
          <span class="muted">
            {place.file}:{place.line}:{place.column} [{code}]
          </span>
        </p>
      ))}
    </li>
  );
}

function ServiceNode({
  name,
  services,
  servers,
  depth,
}: {
  readonly name: string;
  readonly services: readonly Service[];
  readonly servers: readonly ServerLook[];
  readonly depth: number;
}) {
  const service = services.find((each) => each.name === name);
  const own = servers.filter((each) => each.service === name);
  const provider = name.slice(name.lastIndexOf("@") + 1);
  const qualify = (each: string) => (each.includes("@") ? each : `${each}@${provider}`);
  const children =
    depth > 3
      ? []
      : (service?.weighted?.services?.map((each) => ({ name: qualify(each.name), note: `weight ${each.weight}` })) ??
        (service?.failover
          ? [
              { name: qualify(service.failover.service), note: "first" },
              { name: qualify(service.failover.fallback), note: "fallback" },
            ]
          : []));
  return (
    <div class="node">
      <span class="what">Service{service?.type && service.type !== "loadbalancer" ? ` · ${service.type}` : ""}</span>
      <b>{name}</b>
      {service === undefined && own.length === 0 && <State kind="bad">there is none, or it is off</State>}
      {own.slice(0, MAX_SERVERS).map((each) => (
        <span key={each.address} class="line">
          {each.address} <ServerState server={each} /> <span class="muted">{number(each.open)} open</span>
        </span>
      ))}
      {own.length > MAX_SERVERS && (
        <a href={`#/brokers?search=${encodeURIComponent(name)}`}>and {number(own.length - MAX_SERVERS)} more</a>
      )}
      {children.map((each) => (
        <div key={each.name} class="child">
          <span class="muted">{each.note}</span>
          <ServiceNode name={each.name} services={services} servers={servers} depth={depth + 1} />
        </div>
      ))}
    </div>
  );
}

/** What would become of a client. */
function DryRun() {
  const [given, setGiven] = useState<Record<string, string>>({});
  const [answer, setAnswer] = useState<{ served: boolean; text: string[] } | null>(null);
  const field = (name: string, label: string, placeholder: string) => (
    <label>
      {label}
      <input
        value={given[name] ?? ""}
        placeholder={placeholder}
        onInput={(event) => setGiven({ ...given, [name]: event.currentTarget.value })}
      />
    </label>
  );
  const run = async (event: Event) => {
    event.preventDefault();
    const { alpn, ...rest } = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
    try {
      setAnswer(
        await ask("sluice/explain", {
          method: "POST",
          body: { ...rest, ...(alpn !== undefined && { alpn: alpn.split(",") }) },
        }),
      );
    } catch (error) {
      notify((error as Error).message, { isBad: true });
    }
  };
  return (
    <details class="dry">
      <summary>Dry run: where would a client go?</summary>
      <form onSubmit={run}>
        {field("sni", "Name (SNI)", "mqtt.example.com")}
        {field("from", "Address", "192.0.2.1")}
        {field("alpn", "ALPN", "mqtt")}
        {field("clientId", "Client id", "dev-7")}
        {field("username", "User name", "")}
        <button type="submit">Explain</button>
      </form>
      {answer !== null && (
        <div role="status">
          <p>
            <State kind={answer.served ? "good" : "bad"}>
              {answer.served ? "It would be served." : "It would not be served."}
            </State>
          </p>
          <pre tabIndex={0}>{answer.text.join("\n")}</pre>
        </div>
      )}
    </details>
  );
}
