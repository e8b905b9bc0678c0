// Certificates: when each expires, as a line of time; where it is from; when it is renewed.

import { ask, encode } from "../api.ts";
import { day, number } from "../format.ts";
import { useLive } from "../live.ts";
import { attempt, State, Table, Text, Until } from "../parts.tsx";
import type { Certificate } from "../shapes.ts";

/** The line of time ends here at the latest. Days. */
const MOST_DAYS = 400;
const SHOWN = 500;

export function Certificates() {
  const { data, failure, refresh } = useLive<{ certificates: Certificate[] }>("sluice/certificates", 10_000);
  if (data === null) return <Until failure={failure} what="certificates" />;
  const all = [...data.certificates].sort((a, b) => a.daysLeft - b.daysLeft);
  const most = Math.min(MOST_DAYS, Math.max(30, ...all.map(({ daysLeft }) => daysLeft)));
  const soon = all.filter(({ status }) => status !== "enabled").length;
  const renew = (name: string) =>
    attempt(
      () => ask(`sluice/certificates/${encode(name)}/renew`, { method: "POST" }).then(refresh),
      `The certificate for ${name} is ordered anew.`,
    );
  return (
    <>
      <p class="muted" role="status">
        {number(Math.min(all.length, SHOWN))} of {number(all.length)}, {number(soon)} with less than 30 days left
      </p>
      {failure !== null && <p class="error">{failure.message}</p>}
      <Table
        caption="Certificates"
        head={["Names", { text: "Days left", number: true }, `0 to ${most} days`, "Expires", "From", "Renewal", "Act"]}
        empty="There is none."
      >
        {all.slice(0, SHOWN).map((each) => (
          <tr key={`${each.serial} ${each.names.join()} ${each.resolver}`}>
            <th scope="row" class="wrap">
              {each.names.slice(0, 4).join(", ") || each.commonName}
              {each.names.length > 4 && <span class="muted"> and {number(each.names.length - 4)} more</span>}
            </th>
            <td class="number nowrap">
              <State kind={each.status === "enabled" ? "good" : each.status === "warning" ? "warn" : "bad"}>
                {each.notAfter === "" ? "to come" : number(each.daysLeft)}
              </State>
            </td>
            <td class="fill">
              <meter
                min={0}
                max={most}
                low={30}
                high={31}
                optimum={most}
                value={Math.max(0, Math.min(most, each.daysLeft))}
                aria-label={`${each.daysLeft} days left`}
              />
            </td>
            <td class="nowrap">{each.notAfter === "" ? "-" : day(each.notAfter)}</td>
            <td class="wrap">{each.resolver !== null ? `resolver ${each.resolver}` : <Text of={each.source} />}</td>
            <td class="wrap">
              {each.nextRenewal === null
                ? "by whoever writes the file"
                : Date.parse(each.nextRenewal) <= Date.now()
                  ? "now"
                  : day(each.nextRenewal)}
              {each.lastError !== null && (
                <p class="error">
                  {each.lastError} <span class="muted">({number(each.failures)} times)</span>
                </p>
              )}
            </td>
            <td>
              {each.resolver !== null && (
                <button type="button" aria-label={`Renew ${each.names[0]}`} onClick={() => void renew(each.names[0]!)}>
                  Renew
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}
