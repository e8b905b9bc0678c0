// Which certificate is ordered when: what is missing at once, what fails later and later, and nothing without end, whatever dates and
// suggestions say.

import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Plan, type Task } from "../../../src/acme/plan.ts";
import type { StoredCertificate } from "../../../src/acme/storage.ts";
import { Authority } from "../../support/certs.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let stored: StoredCertificate;
let now = 0;

/** Of 20 days, from about now on. */
beforeAll(async () => {
  const pair = await (await Authority.create()).issue({ names: ["a.test"] });
  const text = (file: string) => readFileSync(file, "utf8");
  stored = { main: "a.test", sans: [], certificate: text(pair.cert), key: text(pair.key) };
});

/** One certificate that is wanted; chance is always at its least. */
function planned(): { plan: Plan; task: Task } {
  now = Date.now();
  const plan = new Plan(
    () => now,
    () => 0,
  );
  plan.want([{ resolver: "le", names: ["a.test"], router: "mqtt", asDefault: false }]);
  return { plan, task: plan.tasks[0]! };
}

test("what is missing is due at once, and a resolver that is busy is not waited for", () => {
  const { plan, task } = planned();
  expect(plan.due("le", now)).toEqual({ kind: "obtain", task });
  expect(plan.due("other", now)).toBeNull();
  expect(plan.pause(new Set())).toBe(0);
  expect(plan.pause(new Set(["le"]))).toBe(MINUTE);
});

test("an order that failed is tried again after a pause, and one that succeeds ends the count", () => {
  const { plan, task } = planned();
  for (const minutes of [1, 5, 15]) {
    plan.failed(task, { kind: "challenge", message: "no", retryAfterMs: null });
    expect(task.next - now).toBe(minutes * MINUTE);
    expect(plan.due("le", now)).toBeNull();
  }
  expect(plan.states()).toMatchObject([{ failures: 3, lastError: "no", notAfter: null }]);
  expect(plan.adoptAll("le", [stored], null)).toBe(true);
  expect(plan.adoptAll("le", [stored], null)).toBe(false);
  expect(plan.states()).toMatchObject([{ failures: 0, lastError: null, notAfter: task.lifetime!.notAfter }]);
});

test("a stored certificate is renewed with a third of its life left, and its authority asked meanwhile", () => {
  const { plan, task } = planned();
  plan.adoptAll("le", [stored], null);
  const { notBefore, notAfter } = task.lifetime!;
  expect(task.next).toBe(notAfter - (notAfter - notBefore) / 3);
  expect(plan.due("le", now)).toEqual({ kind: "ask", task });
  plan.asked(task);
  expect(plan.due("le", now)).toBeNull();
  expect(plan.due("le", task.next)).toEqual({ kind: "obtain", task });
});

test("a suggestion moves the renewal, but neither into the last hours nor into an order without end", () => {
  const { plan, task } = planned();
  plan.adoptAll("le", [stored], null);
  plan.obtained(task);
  const { notBefore, notAfter } = task.lifetime!;
  plan.suggested(task, { start: now + DAY, end: now + 2 * DAY, retryAfterMs: null });
  expect(task.next).toBe(now + DAY);
  plan.suggested(task, { start: notAfter + DAY, end: notAfter + DAY, retryAfterMs: null });
  expect(task.next).toBe(notAfter - (notAfter - notBefore) / 6);
  plan.suggested(task, { start: 0, end: 1, retryAfterMs: null });
  expect(task.next).toBe(now + HOUR);
  plan.failed(task, { kind: "rateLimited", message: "no", retryAfterMs: 3 * DAY });
  plan.suggested(task, { start: now, end: now, retryAfterMs: null });
  expect(task.next).toBe(now + 3 * DAY);
});

test("a certificate that has been taken away is ordered anew, unless its storage cannot be read", () => {
  const { plan, task } = planned();
  plan.adoptAll("le", [stored], null);
  plan.adoptAll("le", [], "cannot be read");
  expect(task.certificate).toBe(stored);
  plan.adoptAll("le", [], null);
  expect(plan.due("le", now)).toEqual({ kind: "obtain", task });
  expect(task.certificate).toBeNull();
});

test("what is still wanted keeps what is known of it, and what is not is forgotten", () => {
  const { plan, task } = planned();
  plan.failed(task, { kind: "challenge", message: "no", retryAfterMs: null });
  plan.want([{ resolver: "le", names: ["a.test"], router: "other", asDefault: false }]);
  expect(plan.tasks).toEqual([task]);
  expect(task.router).toBe("other");
  plan.want([]);
  expect(plan.tasks).toEqual([]);
});
