// Parts that several pages have: tables, states, questions before what cannot be undone, notices of what was done.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Failure } from "./api.ts";
import { number } from "./format.ts";
import type { ServerLook } from "./shapes.ts";

export function State({
  kind,
  children,
}: {
  readonly kind: "good" | "warn" | "bad" | "idle";
  readonly children: ComponentChildren;
}) {
  const mark = { good: "●", warn: "▲", bad: "■", idle: "○" }[kind];
  return (
    <span class={`state ${kind}`}>
      <span aria-hidden="true">{mark}</span> {children}
    </span>
  );
}

/** How a server is: drained, down, up, or nobody knows. */
export function ServerState({ server }: { readonly server: ServerLook }) {
  if (server.drain !== null) return <State kind="warn">drained, {number(server.open)} left</State>;
  if (server.health === "down") return <State kind="bad">down</State>;
  return server.health === "up" ? <State kind="good">up</State> : <State kind="idle">not checked</State>;
}

/** Waits, or says why there is nothing. */
export function Until({ failure, what }: { readonly failure: Failure | null; readonly what: string }) {
  return failure === null ? <p class="muted">Loading {what} …</p> : <p class="error">{failure.message}</p>;
}

export function Table({
  caption,
  head,
  children,
  empty,
}: {
  readonly caption: string;
  readonly head: readonly (string | { readonly text: string; readonly number?: boolean })[];
  readonly children: ComponentChildren[];
  readonly empty: string;
}) {
  if (children.length === 0) return <p class="muted">{empty}</p>;
  return (
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((each) => {
              const { text, number = false } = typeof each === "string" ? { text: each } : each;
              return (
                <th key={text} scope="col" class={number ? "number" : undefined}>
                  {text}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** A text that may be nothing. */
export function Text({ of }: { readonly of: string | number | null }) {
  return of === null || of === "" ? <span class="muted">-</span> : <>{of}</>;
}

interface Notice {
  readonly id: number;
  readonly text: string;
  readonly isBad: boolean;
  readonly undo: (() => void) | null;
}

let lastId = 0;
let tell: ((notice: Notice) => void) | null = null;

/** Says what was done or why not. `undo` is offered for as long as the notice is there. */
export function notify(
  text: string,
  { isBad = false, undo = null }: { isBad?: boolean; undo?: (() => void) | null } = {},
): void {
  tell?.({ id: ++lastId, text, isBad, undo });
}

/** Does something and says what came of it. */
export async function attempt(
  work: () => Promise<unknown>,
  done: string,
  undo: (() => void) | null = null,
): Promise<void> {
  try {
    await work();
    notify(done, { undo });
  } catch (error) {
    notify((error as Error).message, { isBad: true });
  }
}

const NOTICE_MS = 12_000;

export function Notices() {
  const [notices, setNotices] = useState<readonly Notice[]>([]);
  const drop = (id: number) => setNotices((all) => all.filter((each) => each.id !== id));
  useEffect(() => {
    tell = (notice) => {
      setNotices((all) => [...all.slice(-3), notice]);
      setTimeout(() => drop(notice.id), NOTICE_MS);
    };
    return () => {
      tell = null;
    };
  }, []);
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map(({ id, text, isBad, undo }) => (
        <p key={id} class={isBad ? "bad" : undefined}>
          {text}
          {undo !== null && (
            <button
              type="button"
              onClick={() => {
                undo();
                drop(id);
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="quiet" aria-label="Close this notice" onClick={() => drop(id)}>
            ×
          </button>
        </p>
      ))}
    </div>
  );
}

/** A question before something that cannot be undone. */
export function Question({
  text,
  yes,
  onYes,
  onNo,
}: {
  readonly text: string;
  readonly yes: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="question" aria-label={yes} onClose={onNo}>
      <p>{text}</p>
      <p class="buttons">
        <button type="button" class="danger" onClick={onYes}>
          {yes}
        </button>
        <button type="button" onClick={onNo}>
          Cancel
        </button>
      </p>
    </dialog>
  );
}

export function Search({
  label,
  value,
  onChange,
  placeholder = "",
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
}) {
  return (
    <label class="search">
      <span class="hidden">{label}</span>
      <input
        type="search"
        placeholder={placeholder || label}
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  );
}

export function Select<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  readonly label: string;
  readonly value: T;
  readonly options: Readonly<Record<T, string>>;
  readonly onChange: (value: T) => void;
}) {
  return (
    <label class="select">
      {label}{" "}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {Object.entries<string>(options).map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
