// A question to all workers is answered by those who can, and waits for no one who is gone.

import { expect, test } from "bun:test";
import { Questions } from "../../../src/control/questions.ts";
import type { MetricJson } from "../../../src/observe/metric-json.ts";
import type { ToWorker } from "../../../src/protocol/messages.ts";

function asked() {
  const sent: [string, ToWorker][] = [];
  const questions = new Questions<string>((worker, message) => void sent.push([worker, message]));
  const idOf = (index: number) => (sent[index]![1] as Extract<ToWorker, { type: "ask" }>).id;
  return { sent, questions, idOf };
}

const figures = (name: string): MetricJson[] => [{ name, help: "", type: "counter", values: [] }];

test("each answer goes to the question that it is for, in whatever order they come", async () => {
  const { questions, sent, idOf } = asked();
  const [first, second] = [questions.ask(["a", "b"], "metrics", null), questions.ask(["b"], "metrics", null)];
  expect(sent.map(([worker]) => worker)).toEqual(["a", "b", "b"]);
  questions.answered("b", idOf(2), figures("second"));
  questions.answered("b", idOf(1), figures("of b"));
  questions.answered("a", idOf(0), figures("of a"));
  expect([...(await second)]).toEqual([["b", figures("second")]]);
  expect(new Map(await first)).toEqual(
    new Map([
      ["a", figures("of a")],
      ["b", figures("of b")],
    ]),
  );
});

test("a worker that dies is waited for no longer, and its late answer is nobody's", async () => {
  const { questions, idOf } = asked();
  const answers = questions.ask(["a", "b"], "metrics", null);
  questions.answered("a", idOf(0), figures("of a"));
  questions.gone("b");
  expect([...(await answers).keys()]).toEqual(["a"]);
  questions.answered("b", idOf(1), figures("late"));
});

test("a worker that hangs is left out, and nobody to ask is an answer", async () => {
  const { questions, idOf } = asked();
  const answers = questions.ask(["a", "hung"], "metrics", null);
  questions.answered("a", idOf(0), figures("of a"));
  expect([...(await answers).keys()]).toEqual(["a"]);
  expect((await questions.ask([], "metrics", null)).size).toBe(0);
});
