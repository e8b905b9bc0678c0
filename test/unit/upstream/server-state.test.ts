// What a worker knows of a server: by the master's word, and by what it has seen itself.

import { expect, test } from "bun:test";
import { ServerStates } from "../../../src/upstream/server-state.ts";

const told = (health: "unknown" | "up" | "down") => ({ health, isDraining: false, upSince: 0 });

test("the first answer of a server that has come back is news, and later ones are not", () => {
  const state = new ServerStates().of("s a:1");
  state.told(told("up"));
  expect(state.isTroubled).toBe(false);
  state.told(told("down"));
  expect(state.isTroubled).toBe(true);
  state.told(told("up"));
  // The master tells it once more for another reason.
  state.told(told("up"));
  expect(state.isTroubled).toBe(true);
  state.answered();
  expect(state.isTroubled).toBe(false);
});

test("a server that fails a client is avoided until the master says what it makes of it", () => {
  const state = new ServerStates().of("s a:1");
  const passive = { failures: 1, unanswered: 3, windowMs: 1000, coolDownMs: 600_000 };
  state.failed(passive);
  expect(state.isUsable).toBe(false);
  state.told(told("down"));
  state.told(told("up"));
  expect(state.isUsable).toBe(true);
});
