// Clients: who is connected, found as one types; one of them in detail; closing.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, encode, query } from "../api.ts";
import { bytes, duration, number, since } from "../format.ts";
import { useLive, useSettled } from "../live.ts";
import type { PageProps } from "../page-props.ts";
import { attempt, Question, Search, Select, State, Table, Text, Until } from "../parts.tsx";
import type { Connection } from "../shapes.ts";

interface Page {
  readonly connections: Connection[];
  readonly matched: number;
  readonly open: number;
  readonly next: string | null;
}

const SORTS = {
  "since:desc": "Newest first",
  "since:asc": "Oldest first",
  "clientId:asc": "Client id",
  "address:asc": "Address",
  "rate:desc": "Fastest",
  "bytesIn:desc": "Most sent",
  "bytesOut:desc": "Most received",
  "idle:desc": "Longest silent",
  "server:asc": "Server",
} as const;

/** Places that a link may narrow the list to. */
const NARROW = ["entryPoint", "router", "service", "server", "address", "clientId"] as const;
const SIZE = 100;

export function Clients({ search: address }: PageProps) {
  const [search, setSearch] = useState(address.get("search") ?? "");
  const [sort, setSort] = useState<keyof typeof SORTS>("since:desc");
  const [pages, setPages] = useState<readonly string[]>([]);
  const [shown, setShown] = useState<string | null>(null);
  const [isFrozen, setFrozen] = useState(false);
  const settled = useSettled(search);
  const [column, direction] = sort.split(":");
  const narrow = Object.fromEntries(NARROW.map((name) => [name, address.get(name) ?? ""]));
  const after = pages.at(-1);
  const path = `sluice/connections${query({ ...narrow, search: settled, sort: column, direction, limit: SIZE, after })}`;
  const { data, failure, refresh } = useLive<Page>(path, isFrozen ? 3_600_000 : 2000);
  useEffect(() => setPages([]), [settled, sort, address.toString()]);
  const narrowed = NARROW.filter((name) => narrow[name] !== "");
  return (
    <>
      <div class="bar">
        <Search
          label="Search clients"
          placeholder="Client id, user, address, name, certificate …"
          value={search}
          onChange={setSearch}
        />
        <Select label="Sort" value={sort} options={SORTS} onChange={setSort} />
        <button type="button" aria-pressed={isFrozen} onClick={() => setFrozen(!isFrozen)}>
          {isFrozen ? "Frozen" : "Freeze"}
        </button>
        {narrowed.map((name) => (
          <a key={name} class="chip" href="#/clients">
            {name}: {narrow[name]} <span aria-hidden="true">×</span>
            <span class="hidden">remove</span>
          </a>
        ))}
      </div>
      {data === null ? (
        <Until failure={failure} what="clients" />
      ) : (
        <>
          {failure !== null && <p class="error">{failure.message}</p>}
          <p class="muted" role="status">
            {number(data.connections.length)} of {number(data.matched)}
            {data.matched !== data.open && ` that match, ${number(data.open)} open`}
          </p>
          <Table
            caption="Clients"
            head={[
              "Client id",
              "User",
              "Address",
              "Name",
              "Router",
              "Server",
              { text: "Since", number: true },
              { text: "In", number: true },
              { text: "Out", number: true },
              { text: "Silent", number: true },
            ]}
            empty="No client is so."
          >
            {data.connections.map((each) => (
              <tr key={each.id} class={each.id === shown ? "chosen" : undefined}>
                <th scope="row">
                  <button type="button" class="name" onClick={() => setShown(each.id)}>
                    {each.clientId || <span class="muted">{each.id}</span>}
                  </button>
                </th>
                <td>
                  <Text of={each.username} />
                </td>
                <td class="nowrap">{each.address}</td>
                <td>
                  <Text of={each.sni} />
                </td>
                <td>
                  <Text of={each.router} />
                </td>
                <td class="nowrap">{each.step === "relay" ? each.server : <State kind="idle">{each.step}</State>}</td>
                <td class="number nowrap">{since(each.since)}</td>
                <td class="number nowrap">{bytes(each.bytesIn)}</td>
                <td class="number nowrap">{bytes(each.bytesOut)}</td>
                <td class="number nowrap">{each.idle === null ? "-" : duration(each.idle)}</td>
              </tr>
            ))}
          </Table>
          <p class="buttons">
            {pages.length > 0 && (
              <button type="button" onClick={() => setPages(pages.slice(0, -1))}>
                Previous page
              </button>
            )}
            {data.next !== null && (
              <button type="button" onClick={() => setPages([...pages, data.next!])}>
                Next page
              </button>
            )}
          </p>
        </>
      )}
      {shown !== null && <Detail id={shown} onClose={() => setShown(null)} onClosed={refresh} />}
    </>
  );
}

function Detail({
  id,
  onClose,
  onClosed,
}: {
  readonly id: string;
  readonly onClose: () => void;
  readonly onClosed: () => void;
}) {
  const { data, failure } = useLive<Connection>(`sluice/connections/${encode(id)}`, 2000);
  const [question, setQuestion] = useState<{ text: string; filter: Record<string, string> } | null>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const close = (filter: Record<string, string>) =>
    attempt(async () => {
      await ask("sluice/connections/close", { method: "POST", body: filter });
      setQuestion(null);
      onClosed();
      onClose();
    }, "Closed.");
  return (
    <dialog ref={dialog} class="detail" aria-labelledby="detail-title" onClose={onClose}>
      <div class="title">
        <h2 id="detail-title">{data?.clientId || id}</h2>
        <button type="button" class="quiet" aria-label="Close the detail" onClick={onClose}>
          ×
        </button>
      </div>
      {data === null ? (
        <Until failure={failure} what="the client" />
      ) : (
        <>
          {failure !== null && (
            <p class="error">{failure.status === 404 ? "It is not connected any more." : failure.message}</p>
          )}
          <dl class="facts">
            {factsOf(data).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <Text of={value} />
                </dd>
              </div>
            ))}
          </dl>
          <p class="buttons">
            <button
              type="button"
              class="danger"
              onClick={() =>
                setQuestion({ text: "Close this connection? The client may come again at once.", filter: { id } })
              }
            >
              Close the connection
            </button>
            <button
              type="button"
              class="danger"
              onClick={() =>
                setQuestion({ text: `Close all connections from ${data.address}?`, filter: { address: data.address } })
              }
            >
              Close all of {data.address}
            </button>
          </p>
        </>
      )}
      {question !== null && (
        <Question
          text={question.text}
          yes="Close"
          onYes={() => void close(question.filter)}
          onNo={() => setQuestion(null)}
        />
      )}
    </dialog>
  );
}

function factsOf(each: Connection): [string, string | number | null][] {
  return [
    ["Client id", each.clientId],
    ["User name", each.username],
    ["Certificate", each.certificate],
    ["Address", `${each.address}:${each.port}`],
    ["Behind the balancer", each.balancer],
    ["Name (SNI)", each.sni],
    ["Entry point", each.entryPoint],
    ["Router", each.router],
    ["Service", each.service],
    ["Server", each.server],
    ["Where it is", each.step],
    ["Since", `${new Date(each.since).toLocaleString("en-GB")}, for ${since(each.since)}`],
    ["Silent for", each.idle === null ? null : duration(each.idle)],
    ["Keep alive", each.keepAlive === null ? null : `${each.keepAlive} s`],
    ["From the client", `${bytes(each.bytesIn)}${each.rateIn === null ? "" : `, ${bytes(each.rateIn)}/s`}`],
    ["To the client", `${bytes(each.bytesOut)}${each.rateOut === null ? "" : `, ${bytes(each.rateOut)}/s`}`],
    ["MQTT", each.mqttVersion],
    ["TLS", each.tlsVersion === "" ? null : `${each.tlsVersion}, ${each.tlsCipher}${each.resumed ? ", resumed" : ""}`],
    ["ALPN", each.alpn],
  ];
}
