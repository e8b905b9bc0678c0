// What Sluice asks of ZooKeeper.

import { JuteWriter } from "./jute.ts";
import { ERROR, OP, type Session, ZooKeeperError } from "./session.ts";

/** The watch stays, and is for everything below its node too. */
const PERSISTENT_RECURSIVE = 1;
/** Of a node's stat: four numbers of eight bytes, three of four, one of eight, and the length of its data. */
const BEFORE_CHILD_COUNT = 4 * 8 + 3 * 4 + 8 + 4;
const ALL_RIGHTS = 31;

export interface ZNode {
  readonly data: string;
  readonly childCount: number;
}

/** null where there is no node. */
export async function getData(session: Session, path: string): Promise<ZNode | null> {
  const answer = await session
    .request(OP.getData, new JuteWriter().text(path).bool(false))
    .catch((error) => unless(error, ERROR.noNode));
  if (answer === null) return null;
  const data = answer.text();
  answer.skip(BEFORE_CHILD_COUNT);
  return { data, childCount: answer.int() };
}

/** The names of a node's children; none where there is no node. */
export async function getChildren(session: Session, path: string): Promise<readonly string[]> {
  const answer = await session
    .request(OP.getChildren, new JuteWriter().text(path).bool(false))
    .catch((error) => unless(error, ERROR.noNode));
  return answer?.texts() ?? [];
}

/** Watches a node and everything below it, also what is not there yet. @returns false when the server is too old for it (before 3.6). */
export async function addWatch(session: Session, path: string): Promise<boolean> {
  const answer = await session
    .request(OP.addWatch, new JuteWriter().text(path).int(PERSISTENT_RECURSIVE))
    .catch((error) => unless(error, ERROR.unimplemented));
  return answer !== null;
}

export type Change =
  | { readonly kind: "create"; readonly path: string; readonly data: string }
  | { readonly kind: "set"; readonly path: string; readonly data: string }
  | { readonly kind: "delete"; readonly path: string };

/** All changes, or none. New nodes may be read and changed by everyone, or with `isOwned` by the session's user alone. */
export async function multi(session: Session, changes: readonly Change[], isOwned: boolean): Promise<void> {
  const body = new JuteWriter();
  for (const change of changes) {
    body.int(CHANGE_OPS[change.kind]).bool(false).int(-1).text(change.path);
    if (change.kind !== "delete") body.bytes(Buffer.from(change.data));
    if (change.kind === "create") {
      const [scheme, id] = isOwned ? ["auth", ""] : ["world", "anyone"];
      body.int(1).int(ALL_RIGHTS).text(scheme!).text(id!).int(0);
    } else body.int(-1); // of any version
  }
  const answer = await session.request(OP.multi, body.int(-1).bool(true).int(-1));
  if (changes.length === 0) return;
  // A transaction that has failed answers with an error for each of its parts: that of those before the one to blame is 0.
  for (let type = answer.int(); type === FAILED; type = answer.int()) {
    answer.skip(5);
    const code = answer.int();
    if (code !== 0) throw new ZooKeeperError(code);
  }
}

const CHANGE_OPS = { create: OP.create, set: OP.setData, delete: OP.delete } as const;
const FAILED = -1;

function unless(error: unknown, code: number): null {
  if (error instanceof ZooKeeperError && error.code === code) return null;
  throw error;
}
