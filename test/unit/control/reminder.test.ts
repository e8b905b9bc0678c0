// What changes by time alone is loaded anew when its time has come, and not too often.

import { afterEach, describe, expect, jest, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Diagnostics, describeDiagnostic } from "../../../src/config/diagnostics.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { Reloader, type ReloadOutcome } from "../../../src/control/reloader.ts";
import { momentsOf, Reminder } from "../../../src/control/reminder.ts";
import { FileProvider } from "../../../src/providers/file.ts";
import { Authority } from "../../support/certs.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

let reminder: Reminder | null = null;
afterEach(() => {
  reminder?.close();
  jest.useRealTimers();
});

/** A reminder under a clock that goes only by `jest.advanceTimersByTime`; its own time, a timer's, cannot be set as the wall clock can. */
function underOwnClock(windowMs?: number): { times: number[]; moments: number[] } {
  const made = { times: [] as number[], moments: [] as number[] };
  jest.useFakeTimers({ now: 1_800_000_000_000 });
  reminder = new Reminder(
    () => {
      made.times.push(Date.now());
      reminder!.set(made.moments);
    },
    30_000,
    windowMs,
  );
  return made;
}

test("the next moment is reminded of when it is past, and none that was past before", () => {
  const { times, moments } = underOwnClock();
  const now = Date.now();
  moments.push(now + 200_000, now + 100_000, now - 5000);
  reminder!.set(moments);
  jest.advanceTimersByTime(100_000);
  expect(times).toEqual([]);
  jest.advanceTimersByTime(1000);
  expect(times).toHaveLength(1);
  jest.advanceTimersByTime(98_000);
  expect(times).toHaveLength(1);
  jest.advanceTimersByTime(3_600_000);
  expect(times).toHaveLength(2);
});

test("a moment that passes while the load goes on is not lost, and is reminded of once", () => {
  const { times, moments } = underOwnClock();
  const loadedAt = Date.now();
  moments.push(loadedAt + 2000);
  jest.advanceTimersByTime(5000); // so long the load took
  reminder!.set(moments, loadedAt);
  jest.advanceTimersByTime(60_000);
  expect(times).toHaveLength(1);
});

describe("a clock that is set while it waits is noticed", () => {
  const day = 86_400_000;

  test("to after the next moment", () => {
    const { times, moments } = underOwnClock();
    moments.push(Date.now() + 50 * day); // more than a timer can wait for
    reminder!.set(moments);
    jest.advanceTimersByTime(120_000);
    expect(times).toEqual([]);
    jest.setSystemTime(Date.now() + 51 * day);
    jest.advanceTimersByTime(120_000);
    expect(times).toHaveLength(1);
  });

  test("back to before the last one, which comes again then", () => {
    const { times, moments } = underOwnClock();
    moments.push(Date.now() - day);
    reminder!.set(moments);
    jest.advanceTimersByTime(120_000);
    expect(times).toEqual([]);
    jest.setSystemTime(Date.now() - 2 * day);
    jest.advanceTimersByTime(120_000);
    expect(times).toHaveLength(1);
    jest.setSystemTime(Date.now() + 2 * day);
    jest.advanceTimersByTime(120_000);
    expect(times).toHaveLength(2);
  });
});

test("many moments in a row are few reminders", () => {
  const window = 3_600_000;
  const { times, moments } = underOwnClock(window);
  for (let index = 0; index < 10_000; index++) moments.push(Date.now() + 1000 * index);
  reminder!.set(moments);
  for (let minute = 0; minute < 200; minute++) jest.advanceTimersByTime(60_000);
  // The first ones are not kept waiting; of 10 000 in 167 minutes 10 come in each window, and the last one of all is among them.
  expect(times[9]! - times[0]!).toBeLessThan(60_000);
  expect(times[10]! - times[0]!).toBeGreaterThanOrEqual(window);
  for (let index = 10; index < times.length; index++)
    expect(times[index]! - times[index - 10]!).toBeGreaterThanOrEqual(window);
  expect(times.length).toBeLessThan(40);
  expect(times.at(-1)!).toBeGreaterThan(moments.at(-1)!);
});

test("certificates are news when they begin, 30 days before they end, and when they end; a resolver's only when they end", () => {
  const day = 86_400_000;
  const certificate = { hash: "", commonName: "", serial: "", names: [], notBefore: 100 * day, notAfter: 200 * day };
  const compiled = {
    rows: new Map(),
    routers: [],
    revocations: [],
    orders: [],
    checks: new Map(),
    refused: new Set<string>(),
    named: { routers: new Set<string>(), services: new Set<string>(), partial: new Set<string>() },
  };
  const days = (source: string | null) =>
    momentsOf({ ...compiled, certificates: [{ ...certificate, source }] }, [7 * day])
      .map((each) => each / day)
      .filter((each) => each < 1000);
  expect(days("a.crt")).toEqual([7, 100, 170, 200]);
  expect(days(null)).toEqual([7, 200]);
});

const authority = await Authority.create();
const openssl = (time: number) => `${new Date(time).toISOString().replace(/\D/g, "").slice(0, 14)}Z`;

// Both wait for the time on the clock, so they wait together.
test.concurrent("a certificate whose time comes while Sluice runs serves from then on, and the warning goes", async () => {
  const root = temporaryDirectory();
  const directory = join(root, "certs");
  mkdirSync(directory);
  const names = ["a.example"];
  const begins = Math.ceil(Date.now() / 1000) * 1000 + 4000;
  const old = await authority.issue({ names, notBefore: "20250101000000Z", notAfter: "21200101000000Z" });
  const next = await authority.issue({ names, notBefore: openssl(begins), notAfter: "21200101000000Z", key: old.key });
  const alone = await authority.issue({
    names: ["b.example"],
    notBefore: openssl(begins),
    notAfter: "21200101000000Z",
  });
  renameSync(old.cert, join(directory, "old.crt"));
  renameSync(old.key, join(directory, "old.key"));
  renameSync(next.cert, join(directory, "next.crt"));
  writeFileSync(
    join(root, "dynamic.yml"),
    `tcp: { routers: { r: { rule: 'HostSNI(\`a.example\`) || HostSNI(\`b.example\`)', service: s, tls: {} } }, services: { s: { loadBalancer: { servers: [{ port: 1884 }] } } } }
tls: { certificateDirectories: [{ directory: ${directory} }], certificates: [{ certFile: ${alone.cert}, keyFile: ${alone.key} }] }\n`,
  );
  const diagnostics = new Diagnostics();
  const text = `entryPoints: { mqtts: { address: ':8883' } }\nproviders: { file: { filename: ${join(root, "dynamic.yml")} } }\n`;
  const config = parseStatic("s.yml", text, diagnostics)!;
  const outcomes: ReloadOutcome[] = [];
  const reloader = new Reloader(
    config,
    [new FileProvider({ watch: true, poll: null, filename: config.providers.file!.filename })],
    null,
    (outcome) => outcomes.push(outcome),
  );
  const said = (outcome: ReloadOutcome) => outcome.diagnostics.list.map(describeDiagnostic).join("\n");
  const serving = (outcome: ReloadOutcome) =>
    outcome.compiled!.certificates.flatMap((each) => (each.source?.startsWith(directory) ? [each.source] : []));
  try {
    const first = await reloader.start();
    expect(said(first)).toContain("is not valid before");
    expect(serving(first)).toEqual([join(directory, "old.crt")]);
    reloader.open();
    // A late event of what was just written may bring a reload before.
    const newer = join(directory, "next.crt");
    const taken = await waitFor(
      "a reload that takes it",
      () => outcomes.find((each) => serving(each)[0] === newer),
      15_000,
    );
    expect(Date.now()).toBeGreaterThanOrEqual(begins);
    expect(said(taken)).toBe("");
    expect(serving(taken)).toEqual([newer]);
  } finally {
    await reloader.close();
  }
});

test.concurrent("a certificate that ends while Sluice runs is told of then", async () => {
  const root = temporaryDirectory();
  const ends = Math.ceil(Date.now() / 1000) * 1000 + 5000;
  const pair = await authority.issue({ names: ["a.example"], notAfter: openssl(ends) });
  const file = join(root, "dynamic.yml");
  writeFileSync(file, `tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }\n`);
  const text = `entryPoints: { mqtts: { address: ':8883' } }\nproviders: { file: { filename: ${file} } }\n`;
  const config = parseStatic("s.yml", text, new Diagnostics())!;
  const outcomes: ReloadOutcome[] = [];
  const reloader = new Reloader(
    config,
    [new FileProvider({ watch: true, poll: null, filename: config.providers.file!.filename })],
    null,
    (outcome) => outcomes.push(outcome),
  );
  try {
    const first = await reloader.start();
    expect(first.diagnostics.list.map(({ message }) => message).join()).toMatch(
      /the certificate CN=\S+ in \S+ expires on/,
    );
    reloader.open();
    // A late event of the file that was just written may bring a reload before.
    const isTold = ({ diagnostics }: ReloadOutcome) =>
      diagnostics.list.some(({ message }) => /the certificate CN=\S+ in \S+ expired on/.test(message));
    await waitFor("a reload that tells of it", () => outcomes.some(isTold), 15_000);
    expect(Date.now()).toBeGreaterThanOrEqual(ends);
  } finally {
    await reloader.close();
  }
});
