// Routes from ZooKeeper: one watch over the whole tree, the tree once, and from there on only the nodes that the watch names.

import type { Engine, EngineRemark, Entry, Reading } from "../engine.ts";
import type { StoreTls } from "../store-tls.ts";
import { addWatch, getChildren, getData, type ZNode } from "./requests.ts";
import { ERROR, NoGreeting, Session, ZooKeeperError } from "./session.ts";

export interface ZooKeeperOptions {
  /** host:port of the servers of one ensemble. */
  readonly endpoints: readonly string[];
  readonly rootKey: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: StoreTls | undefined;
}

/** Milliseconds. */
const POLL_MS = 5000;
/** Nodes below the root: more are no configuration. */
const MAX_NODES = 1_000_000;
/** A leaf as high as `tcp/routers/x` holds nothing: its children have been deleted. */
const FOLDER_DEPTH = 3;

/** The tree, as far as the session has read it. */
interface Mirror {
  readonly session: Session;
  /** By their paths. */
  readonly nodes: Map<string, ZNode>;
  /** Paths that the watch has named since they were read. */
  readonly stale: Set<string>;
  readonly isWatched: boolean;
}

export class ZooKeeperEngine implements Engine {
  readonly name = "zookeeper";
  readonly place: string;
  readonly #options: ZooKeeperOptions;
  readonly #root: string;
  readonly #pollMs: number;
  /** The endpoint that answered last. */
  #at = 0;
  #mirror: Mirror | null = null;
  /** By their paths; the same object is the same to whoever decodes it. */
  #entries = new Map<string, Entry>();
  #changed: () => void = () => {};

  /** `pollMs`: how often a server that cannot watch a tree is asked. */
  constructor(options: ZooKeeperOptions, pollMs = POLL_MS) {
    this.#options = options;
    this.#pollMs = pollMs;
    this.#root = `/${options.rootKey}`;
    this.place = `zookeeper ${options.endpoints.join(",")}`;
  }

  async read(signal: AbortSignal): Promise<Reading> {
    const mirror = this.#mirror ?? (await this.#open(signal));
    this.#mirror = mirror;
    const end = () => mirror.session.close();
    signal.addEventListener("abort", end, { once: true });
    try {
      if (!mirror.isWatched) {
        mirror.nodes.clear();
        await this.#walk(mirror, this.#root);
      }
      await this.#settle(mirror);
    } catch (error) {
      this.#forget();
      throw new Error(this.#inWords(error));
    } finally {
      signal.removeEventListener("abort", end);
    }
    return { content: this.#entriesOf(mirror.nodes), ...(mirror.isWatched ? {} : { remarks: [this.#polled()] }) };
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    const mirror = this.#mirror;
    if (mirror === null) return;
    const { session } = mirror;
    this.#changed = changed;
    const timer = mirror.isWatched ? null : setInterval(changed, this.#pollMs);
    const end = () => session.close();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    if (mirror.stale.size > 0) changed();
    const reason = await session.ended;
    if (timer !== null) clearInterval(timer);
    signal.removeEventListener("abort", end);
    this.#changed = () => {};
    this.#forget();
    if (!signal.aborted) throw new Error(this.#inWords(reason));
  }

  async close(): Promise<void> {
    this.#forget();
  }

  #forget(): void {
    this.#mirror?.session.close();
    this.#mirror = null;
  }

  /** The first server that answers; the watch is there before anything is read, so it misses nothing. */
  async #open(signal: AbortSignal): Promise<Mirror> {
    const { endpoints } = this.#options;
    const failures: string[] = [];
    for (let n = 0; n < endpoints.length; n++) {
      try {
        return await this.#openAt(signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(this.#inWords(error));
        this.#at = (this.#at + 1) % endpoints.length;
      }
    }
    throw new Error(failures.join("; "));
  }

  async #openAt(signal: AbortSignal): Promise<Mirror> {
    const options = { ...this.#options, endpoint: this.#options.endpoints[this.#at]! };
    const session = await Session.open(options, signal);
    const stale = new Set<string>();
    session.onEvent = (path) => {
      if (path !== this.#root && !path.startsWith(`${this.#root}/`)) return;
      stale.add(path);
      this.#changed();
    };
    try {
      const mirror = { session, nodes: new Map<string, ZNode>(), stale, isWatched: true };
      if (await addWatch(session, this.#root)) {
        await this.#walk(mirror, this.#root);
        return mirror;
      }
      // An old server ends the session of who asks for what it does not know.
      session.close();
      return { ...mirror, session: await Session.open(options, signal), isWatched: false };
    } catch (error) {
      session.close();
      throw error;
    }
  }

  async #walk(mirror: Mirror, path: string): Promise<void> {
    const node = await getData(mirror.session, path);
    if (node === null) return;
    mirror.nodes.set(path, node);
    if (mirror.nodes.size > MAX_NODES) throw new Error(`there are more than ${MAX_NODES} nodes below ${this.#root}`);
    if (node.childCount === 0) return;
    const names = await getChildren(mirror.session, path);
    await Promise.all(names.map((name) => this.#walk(mirror, `${path}/${name}`)));
  }

  /**
   * Reads what the watch has named until it names nothing more. An event comes before any answer that shows its change, and those of a
   * transaction come together: when all answers are there and nothing is stale, the mirror is what the store was at the last answer.
   */
  async #settle({ session, nodes, stale }: Mirror): Promise<void> {
    while (stale.size > 0) {
      const paths = [...stale];
      stale.clear();
      await Promise.all(
        paths.map(async (path) => {
          const node = await getData(session, path);
          if (node === null) nodes.delete(path);
          else nodes.set(path, node);
        }),
      );
    }
  }

  #entriesOf(nodes: ReadonlyMap<string, ZNode>): readonly Entry[] {
    const parents = new Set<string>();
    for (const path of nodes.keys()) parents.add(path.slice(0, path.lastIndexOf("/")));
    const entries = new Map<string, Entry>();
    for (const [node, { data: value }] of nodes) {
      const path = node.slice(this.#root.length + 1);
      // Nodes that others hang on need not say anything themselves.
      if (path === "" || (value === "" && (parents.has(node) || path.split("/").length <= FOLDER_DEPTH))) continue;
      const former = this.#entries.get(node);
      entries.set(node, former?.value === value ? former : { path, value, place: `zookeeper ${node.slice(1)}` });
    }
    this.#entries = entries;
    return [...entries.values()];
  }

  #polled(): EngineRemark {
    return {
      severity: "warning",
      code: "provider-deaf",
      place: this.place,
      message: `cannot watch a tree: it is asked every ${this.#pollMs / 1000} s. ZooKeeper 3.6 and newer can`,
    };
  }

  #inWords(error: unknown): string {
    const endpoint = this.#options.endpoints[this.#at]!;
    const { code, message } = error as Error & { code?: unknown };
    if (error instanceof ZooKeeperError && code === ERROR.noAuth)
      return `${endpoint}: the user may not read all of ${this.#root}: give it the right "r" on each node`;
    if (error instanceof ZooKeeperError && code === ERROR.authFailed) return `${endpoint}: the user is refused`;
    if (code === "ECONNREFUSED") return `${endpoint}: the connection is refused`;
    if (message.includes("ALERT_BAD_CERTIFICATE") || message.includes("CERTIFICATE_REQUIRED"))
      return `${endpoint}: the TLS handshake fails: does it want a client certificate?`;
    const hint =
      error instanceof NoGreeting && this.#options.tls === undefined
        ? ": does it want TLS (providers.zooKeeper.tls)?"
        : "";
    return `${endpoint}: ${message}${hint}`;
  }
}
