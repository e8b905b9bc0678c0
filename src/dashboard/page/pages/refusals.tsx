// Refusals: who did not come in, and why; banning an address.

import { useEffect, useState } from "preact/hooks";
import { ask, encode, query } from "../api.ts";
import { number, since } from "../format.ts";
import { useLive, useSettled } from "../live.ts";
import type { PageProps } from "../page-props.ts";
import { attempt, Question, Search, Table, Text, Until } from "../parts.tsx";
import type { Refusal } from "../shapes.ts";

interface BanLook {
  readonly entryPoint: string;
  readonly network: string;
  readonly until: string;
  readonly reason: string;
}

export function Refusals({ search: address }: PageProps) {
  const [search, setSearch] = useState(address.get("search") ?? "");
  const [banning, setBanning] = useState<Refusal | null>(null);
  const settled = useSettled(search);
  const reason = address.get("reason") ?? "";
  useEffect(() => setSearch(address.get("search") ?? ""), [address.toString()]);
  const { data, failure } = useLive<{ refusals: Refusal[] }>(`sluice/refusals${query({ search: settled, reason })}`);
  const bans = useLive<{ bans: BanLook[] }>("sluice/bans", 5000);
  const ban = ({ entryPoint, address }: Refusal) =>
    attempt(
      () =>
        ask(`sluice/entrypoints/${encode(entryPoint)}/bans`, {
          method: "POST",
          body: { network: address, time: "1h" },
        }).then(bans.refresh),
      `${address} is banned for an hour.`,
      () => void lift(entryPoint, address),
    );
  const lift = (entryPoint: string, network: string) =>
    attempt(
      () =>
        ask(`sluice/entrypoints/${encode(entryPoint)}/bans/${encode(network)}`, { method: "DELETE" }).then(
          bans.refresh,
        ),
      `${network} is banned no more.`,
    );
  return (
    <>
      <div class="bar">
        <Search
          label="Search refusals"
          placeholder="Address, name, client id, reason …"
          value={search}
          onChange={setSearch}
        />
        {reason !== "" && (
          <a class="chip" href="#/refusals">
            reason: {reason} <span aria-hidden="true">×</span>
            <span class="hidden">remove</span>
          </a>
        )}
        {data !== null && (
          <span class="muted" role="status">
            the last {number(data.refusals.length)}
          </span>
        )}
      </div>
      {data === null ? (
        <Until failure={failure} what="refusals" />
      ) : (
        <Table
          caption="Refusals"
          head={["Ago", "Reason", "Address", "Name", "Client id", "User", "Certificate", "Router", "Act"]}
          empty="Nobody was refused, or nobody that is so."
        >
          {data.refusals.map((each, index) => (
            <tr key={`${each.at} ${each.address} ${index}`}>
              <td class="nowrap">{since(each.at)}</td>
              <th scope="row">
                {each.reason}
                {each.cause !== "" && <span class="muted"> {each.cause}</span>}
              </th>
              <td class="nowrap">
                <Text of={each.address} />
              </td>
              <td>
                <Text of={each.sni} />
              </td>
              <td>
                <Text of={each.clientId} />
              </td>
              <td>
                <Text of={each.username} />
              </td>
              <td>
                <Text of={each.certificate} />
              </td>
              <td>
                <Text of={each.router} />
              </td>
              <td>
                {each.address !== "" && (
                  <button
                    type="button"
                    class="danger"
                    aria-label={`Ban ${each.address}`}
                    onClick={() => setBanning(each)}
                  >
                    Ban
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      <h2>Bans</h2>
      {bans.data === null ? (
        <Until failure={bans.failure} what="bans" />
      ) : (
        <Table caption="Bans" head={["Address", "Entry point", "Until", "Reason", "Act"]} empty="Nobody is banned.">
          {bans.data.bans.map(({ entryPoint, network, until, reason: why }) => (
            <tr key={`${entryPoint} ${network}`}>
              <th scope="row">{network}</th>
              <td>{entryPoint}</td>
              <td class="nowrap">{new Date(until).toLocaleString("en-GB")}</td>
              <td>{why}</td>
              <td>
                <button
                  type="button"
                  aria-label={`Lift the ban of ${network}`}
                  onClick={() => void lift(entryPoint, network)}
                >
                  Lift
                </button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {banning !== null && (
        <Question
          text={`Refuse everybody from ${banning.address} on ${banning.entryPoint} for an hour? Behind one address there may be many.`}
          yes="Ban"
          onYes={() => {
            void ban(banning);
            setBanning(null);
          }}
          onNo={() => setBanning(null)}
        />
      )}
    </>
  );
}
