// `sluice certs check` in a test: its JSON, with the codes of what it found.

import { expect } from "bun:test";
import type { ServerReport } from "../../src/survey/report.ts";
import { sluiceCli } from "./cli.ts";

/** Checks a server; each finding has a message and a remedy, and the exit code says whether there is a problem. */
export async function checkReport(server: string, args: readonly string[], cwd: string) {
  const { code, stdout, stderr } = await sluiceCli(["certs", "check", server, "--json", ...args], { cwd });
  if (stdout === "") throw new Error(stderr);
  const report = JSON.parse(stdout) as ServerReport;
  const codes = (findings: ServerReport["problems"]) => findings.map((each) => each.code as string);
  for (const finding of [...report.problems, ...report.notes]) {
    expect(finding.message).not.toBe("");
    expect(finding.remedy).toEndWith(".");
  }
  expect(code).toBe(report.problems.length > 0 ? 1 : 0);
  return { ...report, problemCodes: codes(report.problems), noteCodes: codes(report.notes), tls: report.tls! };
}
