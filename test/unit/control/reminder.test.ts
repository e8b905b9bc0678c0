// What changes by time alone is loaded anew when its time has come, and not too often.

import { afterEach, expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Diagnostics, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { parseStatic } from "../../../src/config/static.ts";
import { Reloader, type ReloadOutcome } from "../../../src/control/reloader.ts";
import { momentsOf, Reminder } from "../../../src/control/reminder.ts";
import { FileProvider } from "../../../src/providers/file.ts";
import { Authority } from "../../support/certs.ts";
import { temporaryDirectory, waitFor } from "../../support/tools.ts";

let reminder: Reminder | null = null;
afterEach(() => reminder?.close());

test("the next moment is reminded of when it is past, and none that was past before", async () => {
  let calls = 0;
  reminder = new Reminder(() => calls++);
  reminder.set([Date.now() - 5000]);
  await Bun.sleep(250);
  expect(calls).toBe(0);
  const moment = Date.now() + 200;
  reminder.set([moment + 60_000, moment, Date.now() - 5000]);
  await waitFor("the reminder", () => calls > 0);
  expect(Date.now()).toBeGreaterThan(moment);
  await Bun.sleep(250);
  expect(calls).toBe(1);
});

test("a clock that is set while it waits is noticed", async () => {
  const now = Date.now;
  let calls = 0;
  reminder = new Reminder(() => calls++, 50);
  try {
    reminder.set([Date.now() + 86_400_000]);
    await Bun.sleep(200);
    expect(calls).toBe(0);
    Date.now = () => now() + 2 * 86_400_000;
    await waitFor("the reminder", () => calls === 1);
  } finally {
    Date.now = now;
  }
});

test("many moments in a row are few reminders", async () => {
  const moments = Array.from({ length: 2000 }, (_, index) => Date.now() + 50 + index);
  const times: number[] = [];
  reminder = new Reminder(
    () => {
      times.push(performance.now());
      reminder!.set(moments);
    },
    20,
    1500,
  );
  reminder.set(moments);
  await waitFor("those that may come at once, and one more", () => times.length > 10);
  // The first is never kept waiting, and neither are some more.
  expect(times[9]! - times[0]!).toBeLessThan(1500);
  expect(times[10]! - times[0]!).toBeGreaterThan(1490);
});

test("certificates are news when they begin, 30 days before they end, and when they end; a resolver's only when they end", () => {
  const day = 86_400_000;
  const certificate = { hash: "", commonName: "", serial: "", names: [], notBefore: 100 * day, notAfter: 200 * day };
  const compiled = { rows: new Map(), routers: [], revocations: [], orders: [] };
  const days = (source: string | null) =>
    momentsOf({ ...compiled, certificates: [{ ...certificate, source }] }, [7 * day])
      .map((each) => each / day)
      .filter((each) => each < 1000);
  expect(days("a.crt")).toEqual([7, 100, 170, 200]);
  expect(days(null)).toEqual([7, 200]);
});

const authority = await Authority.create();
const openssl = (time: number) => `${new Date(time).toISOString().replace(/\D/g, "").slice(0, 14)}Z`;

test("a certificate whose time comes while Sluice runs serves from then on, and the warning goes", async () => {
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
  const reloader = new Reloader(config, new FileProvider(config.providers.file!), null, (outcome) =>
    outcomes.push(outcome),
  );
  const said = (outcome: ReloadOutcome) => outcome.diagnostics.list.map(formatDiagnostic).join("\n");
  const serving = (outcome: ReloadOutcome) =>
    outcome.compiled!.certificates.flatMap((each) => (each.source?.startsWith(directory) ? [each.source] : []));
  try {
    const first = reloader.load();
    expect(said(first)).toContain("is not valid before");
    expect(serving(first)).toEqual([join(directory, "old.crt")]);
    reloader.open();
    await waitFor("a reload", () => outcomes.length > 0, 15_000);
    expect(Date.now()).toBeGreaterThanOrEqual(begins);
    expect(said(outcomes[0]!)).toBe("");
    expect(serving(outcomes[0]!)).toEqual([join(directory, "next.crt")]);
  } finally {
    await reloader.close();
  }
});

test("a certificate that ends while Sluice runs is told of then", async () => {
  const root = temporaryDirectory();
  const ends = Math.ceil(Date.now() / 1000) * 1000 + 3000;
  const pair = await authority.issue({ names: ["a.example"], notAfter: openssl(ends) });
  const file = join(root, "dynamic.yml");
  writeFileSync(file, `tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }\n`);
  const text = `entryPoints: { mqtts: { address: ':8883' } }\nproviders: { file: { filename: ${file} } }\n`;
  const config = parseStatic("s.yml", text, new Diagnostics())!;
  const outcomes: ReloadOutcome[] = [];
  const reloader = new Reloader(config, new FileProvider(config.providers.file!), null, (outcome) =>
    outcomes.push(outcome),
  );
  try {
    const first = reloader.load();
    expect(first.diagnostics.list.map(({ message }) => message).join()).toContain("the certificate expires on");
    reloader.open();
    await waitFor("a reload", () => outcomes.length > 0, 15_000);
    expect(outcomes[0]!.diagnostics.list.map(({ message }) => message).join()).toContain("the certificate expired on");
  } finally {
    await reloader.close();
  }
});
