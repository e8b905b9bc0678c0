// Diagnostics stay readable: a place that editors link, a suggestion only where it is likely meant, and a bound on how many there are.

import { describe, expect, test } from "bun:test";
import { Diagnostics, describeDiagnostic, formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { didYouMean, suggestion } from "../../../src/text/spelling.ts";

const FIELDS = ["address", "entryPoints", "tls", "rule", "service", "passthrough"];

describe("did you mean", () => {
  test.each([
    ["adress", "address"], // one letter lacks
    ["addresss", "address"], // one too many
    ["addrezs", "address"], // another one
    ["addrses", "address"], // two swapped
    ["addrezz", "address"], // two edits in a long word
    ["adrss", null], // two in a short one
    ["ENTRYPOINT", "entryPoints"], // whatever the case
    ["tsl", "tls"], // a short word with a swap
    ["tl", null], // too short to tell
    ["rul", "rule"],
    ["rl", null],
    ["xyz", null],
    ["", null],
    ["addr", null], // three away
    ["servers", null],
  ] as [string, string | null][])("%j is answered with %j", (word, meant) =>
    expect(didYouMean(word, FIELDS)).toBe(meant),
  );

  test("the nearest one wins, not the first", () => {
    expect(didYouMean("services", ["servicer", "services"])).toBe("services");
    expect(didYouMean("rules", ["rulers", "rule"])).toBe("rulers");
  });

  test("a very long word costs nothing and means nothing", () => {
    expect(didYouMean("x".repeat(100_000), FIELDS)).toBeNull();
  });

  test("the text is empty without a suggestion", () => {
    expect(suggestion("adress", FIELDS)).toBe(' (did you mean "address"?)');
    expect(suggestion("xyz", FIELDS)).toBe("");
  });
});

describe("diagnostics", () => {
  test("an error is file:line:column: message [code], a warning says so, and a place without a line is the file", () => {
    const diagnostics = new Diagnostics();
    diagnostics.error("unknown-field", { file: "a.yml", line: 3, column: 5 }, "wrong");
    diagnostics.warn("field-ignored", { file: "a.yml", line: 4, column: 1 }, "odd");
    diagnostics.error("directory-unreadable", { file: "dynamic", line: 0, column: 0 }, "missing");
    expect(diagnostics.list.map(formatDiagnostic)).toEqual([
      "a.yml:3:5: wrong [unknown-field]",
      "a.yml:4:1: warning: odd [field-ignored]",
      "dynamic: missing [directory-unreadable]",
    ]);
    // A log has the code as a field.
    expect(diagnostics.list.map(describeDiagnostic)).toEqual([
      "a.yml:3:5: wrong",
      "a.yml:4:1: warning: odd",
      "dynamic: missing",
    ]);
  });

  test("the list is bounded, the counts are not", () => {
    const diagnostics = new Diagnostics();
    const place = { file: "a.yml", line: 1, column: 1 };
    for (let i = 0; i < Diagnostics.LIMIT + 10; i++) diagnostics.error("field-value", place, `${i}`);
    diagnostics.warn("field-ignored", place, "odd");
    expect(diagnostics.list.length).toBe(Diagnostics.LIMIT);
    expect([diagnostics.errors, diagnostics.warnings]).toEqual([Diagnostics.LIMIT + 10, 1]);
    expect(diagnostics.counts.error.get("field-value")).toBe(Diagnostics.LIMIT + 10);
    expect(diagnostics.counts.warning.get("field-ignored")).toBe(1);
  });
});
