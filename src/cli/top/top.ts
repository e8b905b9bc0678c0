// sluice top: the operator's view on a terminal. This is what touches the terminal and the clock; what is seen is made by screen.ts of
// the state, and what keys do by update.ts.

import { writeSync } from "node:fs";
import { type ApiClient, ApiFailure } from "../api-client.ts";
import type { Terminal } from "../terminal.ts";
import { Asking } from "./asking.ts";
import { isUnicode } from "./glyphs.ts";
import { keysOf } from "./keys.ts";
import { painted, plain, type Size } from "./line.ts";
import { pageOf, screen } from "./screen.ts";
import { initialState, type State, TABS, type Tab } from "./state.ts";
import { type Effect, pressed } from "./update.ts";

export interface TopOptions {
  readonly once?: boolean;
  readonly tab?: string;
  readonly search?: string;
  readonly interval?: string;
  readonly reason?: string;
}

const INTERVAL_S = 2;
/** Where nobody says how large it is. */
const SIZE: Size = { width: 80, height: 24 };

/**
 * The alternate screen, without cursor and without the wrapping of long lines; and back. It is emptied before: tmux would keep lines of it
 * that were there before a resize.
 */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE = "\x1b[0m\x1b[2J\x1b[?7h\x1b[?25h\x1b[?1049l";

/** @returns the exit code. @throws ApiFailure where it cannot begin. */
export async function top(client: ApiClient, options: TopOptions, terminal: Terminal): Promise<number> {
  const tab = TABS.find((each) => each === (options.tab ?? "overview"));
  if (tab === undefined) throw new ApiFailure(`--tab: one of ${TABS.join(", ")}`);
  const seconds = Number(options.interval ?? INTERVAL_S);
  if (!(seconds >= 0.2 && seconds <= 3600)) throw new ApiFailure("--interval: seconds, from 0.2 to 3600");
  if (options.once) return once(client, tab, options.search ?? "", terminal);
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new ApiFailure(
      "sluice top needs a terminal. For scripts there are  sluice clients, routes, servers, refusals, events  with --json, and  sluice top --once",
    );
  return new Top(client, initialState(client.where, tab, options.search ?? ""), seconds * 1000, options.reason).run();
}

async function once(client: ApiClient, tab: Tab, search: string, terminal: Terminal): Promise<number> {
  const state = initialState(client.where, tab, search);
  const data = await new Asking(client).look(state, Date.now());
  const now = Date.now();
  const seen: State = { ...state, seenAt: { [tab]: now }, data: { ...state.data, ...data } };
  const lines = screen(seen, onceSize(), now, isUnicode(process.env));
  terminal.log(lines.map(plain).join("\n"));
  return 0;
}

function onceSize(): Size {
  const of = (text: string | undefined, otherwise: number) => (/^\d{2,3}$/.test(text ?? "") ? Number(text) : otherwise);
  return {
    width: of(process.env.COLUMNS, process.stdout.columns ?? SIZE.width),
    height: of(process.env.LINES, process.stdout.rows ?? SIZE.height),
  };
}

class Top {
  readonly #asking: Asking;
  readonly #intervalMs: number;
  readonly #reason: string;
  readonly #isUnicode = isUnicode(process.env);
  readonly #hasColours = !process.env.NO_COLOR && process.env.TERM !== "dumb";
  #state: State;
  /** What stands on the terminal, line by line: what is the same is not written again. */
  #written: string[] = [];
  #isAsking = false;
  /** Something was changed while it was asked. */
  #isStale = false;
  #hasEnded = false;
  #end: (code: number) => void = () => {};

  constructor(client: ApiClient, state: State, intervalMs: number, reason = "sluice top") {
    this.#asking = new Asking(client);
    this.#state = state;
    this.#intervalMs = intervalMs;
    this.#reason = reason;
  }

  async run(): Promise<number> {
    const { stdin, stdout } = process;
    const ended = new Promise<number>((resolve) => {
      this.#end = resolve;
    });
    const onKeys = (chunk: string) => {
      for (const key of keysOf(chunk)) this.#press(key);
    };
    const onResize = () => this.#draw(true);
    const onSignal = () => this.#end(0);
    // Also of a crash: the process's last moment.
    const leave = () => {
      try {
        stdin.setRawMode(false);
        writeSync(stdout.fd, LEAVE);
      } catch {
        // The terminal is gone.
      }
    };
    process.once("exit", leave);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, onSignal);
    stdout.on("resize", onResize);
    // It went away, with the connection of ssh for example.
    stdout.on("error", onSignal);
    stdin.setEncoding("utf8");
    stdin.on("data", onKeys);
    stdin.on("end", onSignal);
    stdin.setRawMode(true);
    stdin.resume();
    stdout.write(ENTER);
    // What is seen grows older, too.
    const clock = setInterval(() => this.#draw(), 1000);
    const asking = setInterval(() => this.#ask(), this.#intervalMs);
    try {
      this.#draw();
      this.#ask();
      return await ended;
    } finally {
      // An answer may still be under way: what it says is not drawn over the shell.
      this.#hasEnded = true;
      clearInterval(clock);
      clearInterval(asking);
      stdin.off("data", onKeys);
      stdin.pause();
      stdout.off("resize", onResize);
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.off(signal, onSignal);
      process.off("exit", leave);
      leave();
    }
  }

  get #size(): Size {
    return { width: process.stdout.columns || SIZE.width, height: process.stdout.rows || SIZE.height };
  }

  #press(key: string): void {
    const where = { now: Date.now(), page: pageOf(this.#size) };
    const [state, effect] = pressed(this.#state, key, where);
    this.#state = state;
    this.#do(effect);
    this.#draw(effect?.kind === "redraw");
  }

  #do(effect: Effect): void {
    if (effect === null) return;
    switch (effect.kind) {
      case "redraw":
        return;
      case "quit":
        return this.#end(0);
      case "look":
        return this.#ask();
      default:
        void this.#act(effect);
    }
  }

  async #act(action: Parameters<Asking["act"]>[0]): Promise<void> {
    let notice: State["notice"];
    try {
      notice = { text: await this.#asking.act(action, this.#reason), isBad: false };
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      notice = { text: error.message, isBad: true };
    }
    this.#state = { ...this.#state, notice };
    this.#ask();
    this.#draw();
  }

  #ask(): void {
    if (this.#isAsking) this.#isStale = true;
    else if (!this.#state.isFrozen && !this.#hasEnded) void this.#askOnce();
  }

  async #askOnce(): Promise<void> {
    const asked = this.#state;
    this.#isAsking = true;
    this.#isStale = false;
    try {
      const data = await this.#asking.look(asked, Date.now());
      // Frozen while the answer was under way: what is on the screen stays there.
      if (!this.#state.isFrozen)
        this.#state = {
          ...this.#state,
          failure: null,
          seenAt: { ...this.#state.seenAt, [asked.tab]: Date.now() },
          data: { ...this.#state.data, ...data },
        };
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#state = { ...this.#state, failure: error.message };
    } finally {
      this.#isAsking = false;
    }
    if (this.#isStale) this.#ask();
    this.#draw();
  }

  /** `isAnew`: nothing of what stands there is trusted, as after a resize. */
  #draw(isAnew = false): void {
    if (this.#hasEnded) return;
    const lines = screen(this.#state, this.#size, Date.now(), this.#isUnicode).map((each) =>
      painted(each, this.#hasColours),
    );
    if (isAnew) this.#written = [];
    // Each line fills its row: erasing behind it would take its last character, where the cursor stays.
    const changed = lines.flatMap((text, at) =>
      text === this.#written[at] ? [] : [`\x1b[${at + 1};1H\x1b[0m${text}`],
    );
    this.#written = lines;
    if (isAnew) changed.unshift("\x1b[2J");
    if (changed.length > 0) process.stdout.write(changed.join(""));
  }
}
