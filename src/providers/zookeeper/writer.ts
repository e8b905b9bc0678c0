// Writing into ZooKeeper, where a key is a node that others hang on: nodes above a new one are made with it, and those that nothing hangs on
// any more go with the last.

import type { Entry } from "../engine.ts";
import type { StoreWriter, Write } from "../kv/writer.ts";
import { ZooKeeperEngine, type ZooKeeperOptions } from "./engine.ts";
import { type Change, getChildren, getData, multi } from "./requests.ts";
import { openAny, type Session } from "./session.ts";

/** A server takes no request of more than a megabyte (jute.maxbuffer). */
const MOST_BYTES = 700_000;
/** A node above, made on the way, and what a request takes beside path and data. */
const OVERHEAD = 200;

export class ZooKeeperWriter implements StoreWriter {
  readonly #options: ZooKeeperOptions;
  readonly #engine: ZooKeeperEngine;
  readonly #root: string;
  readonly #signal = new AbortController().signal;
  #session: Session | null = null;
  /** Every node that there is at the root, above and below. */
  readonly #nodes = new Map<string, Known>();

  constructor(options: ZooKeeperOptions) {
    this.#options = options;
    this.#engine = new ZooKeeperEngine(options);
    this.#root = `/${options.rootKey}`;
  }

  async read(): Promise<readonly Entry[]> {
    return (await this.#engine.read(this.#signal)).content as readonly Entry[];
  }

  fitting(writes: readonly Write[]): number {
    let bytes = 0;
    const over = writes.findIndex(({ path, value }) => {
      bytes += 3 * Buffer.byteLength(`${this.#root}/${path}`) + Buffer.byteLength(value ?? "") + OVERHEAD;
      return bytes > MOST_BYTES;
    });
    return over < 0 ? writes.length : Math.max(over, 1);
  }

  async write(writes: readonly Write[], unless?: string): Promise<void> {
    if (this.#session === null) {
      this.#session = await openAny(this.#options, this.#signal);
      for (const above of ancestorsOf(this.#root)) {
        const node = await getData(this.#session, above);
        if (node !== null) this.#nodes.set(above, { data: node.data, children: node.childCount });
      }
      await this.#walk(this.#session, this.#root);
    }
    if (unless !== undefined && this.#nodes.has(`${this.#root}/${unless}`))
      throw new Error("another import has begun at the same time");
    const changes = writes.flatMap(({ path, value }) =>
      value === null ? this.#delete(`${this.#root}/${path}`) : this.#put(`${this.#root}/${path}`, value),
    );
    const isOwned = this.#options.username !== undefined && this.#options.username !== "";
    await multi(this.#session, changes, isOwned);
  }

  async close(): Promise<void> {
    this.#session?.close();
    await this.#engine.close();
  }

  async #walk(session: Session, path: string): Promise<void> {
    const node = await getData(session, path);
    if (node === null) return;
    this.#nodes.set(path, { data: node.data, children: node.childCount });
    if (node.childCount === 0) return;
    const names = await getChildren(session, path);
    await Promise.all(names.map((name) => this.#walk(session, `${path}/${name}`)));
  }

  #put(path: string, data: string): Change[] {
    const known = this.#nodes.get(path);
    if (known !== undefined) {
      known.data = data;
      return [{ kind: "set", path, data }];
    }
    const changes: Change[] = [];
    for (const each of [...ancestorsOf(path), path]) {
      if (this.#nodes.has(each)) continue;
      const own = each === path ? data : "";
      this.#nodes.set(each, { data: own, children: 0 });
      const parent = this.#nodes.get(parentOf(each));
      if (parent !== undefined) parent.children++;
      changes.push({ kind: "create", path: each, data: own });
    }
    return changes;
  }

  /** What others hang on keeps its node, without data. */
  #delete(path: string): Change[] {
    const changes: Change[] = [];
    const known = this.#nodes.get(path);
    if (known === undefined) return [];
    known.data = "";
    if (known.children > 0) return [{ kind: "set", path, data: "" }];
    for (let each = path; each.length > this.#root.length; each = parentOf(each)) {
      const node = this.#nodes.get(each)!;
      if (node.data !== "" || node.children > 0) break;
      this.#nodes.delete(each);
      changes.push({ kind: "delete", path: each });
      this.#nodes.get(parentOf(each))!.children--;
    }
    return changes;
  }
}

interface Known {
  data: string;
  children: number;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** From the highest down, without the top itself. */
function ancestorsOf(path: string): string[] {
  const steps = path.slice(1).split("/");
  return steps.slice(0, -1).map((_, index) => `/${steps.slice(0, index + 1).join("/")}`);
}
