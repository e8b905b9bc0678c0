// A real ZooKeeper of one server on a free port of this machine, and the tree in it as keys and values.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { type Change, getChildren, getData, multi } from "../../src/providers/zookeeper/requests.ts";
import { Session } from "../../src/providers/zookeeper/session.ts";
import { cleanup, exec, freePort, temporaryDirectory, waitFor } from "./tools.ts";

/** Debian's jar does not name all that it needs of Netty. */
const CLASSES = readdirSync("/usr/share/java")
  .filter((name) => name === "zookeeper.jar" || /^netty-[a-z0-9-]*[a-z]\.jar$/.test(name))
  .map((name) => `/usr/share/java/${name}`)
  .join(":");

export interface ZooKeeperTls {
  readonly ca: string;
  /** Key stores in PKCS#12 would do too; ZooKeeper reads PEM with certificate and key in one file. */
  readonly pem: string;
}

export class ZooKeeper {
  readonly port: number;
  readonly securePort: number;
  readonly #directory = temporaryDirectory();
  readonly #tls: ZooKeeperTls | undefined;
  #process: Subprocess | null = null;

  private constructor(port: number, securePort: number, tls: ZooKeeperTls | undefined) {
    this.port = port;
    this.securePort = securePort;
    this.#tls = tls;
  }

  static async start(tls?: ZooKeeperTls): Promise<ZooKeeper> {
    const zooKeeper = new ZooKeeper(await freePort(), await freePort(), tls);
    cleanup(() => zooKeeper.kill());
    await zooKeeper.run();
    return zooKeeper;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it with what it had, or with nothing. */
  async run(emptied = false): Promise<void> {
    const data = join(this.#directory, "data");
    if (emptied) await exec(["rm", "-rf", data]);
    mkdirSync(data, { recursive: true });
    const file = join(this.#directory, "zoo.cfg");
    const tls = this.#tls;
    writeFileSync(
      file,
      [
        ...[`dataDir=${data}`, `clientPort=${this.port}`, "clientPortAddress=127.0.0.1", "tickTime=500"],
        ...["admin.enableServer=false", "maxClientCnxns=0"],
        ...(tls === undefined
          ? []
          : [
              `secureClientPort=${this.securePort}`,
              "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
              `ssl.keyStore.location=${tls.pem}`,
              "ssl.keyStore.type=PEM",
              `ssl.trustStore.location=${tls.ca}`,
              "ssl.trustStore.type=PEM",
              "ssl.clientAuth=need",
            ]),
        "",
      ].join("\n"),
    );
    this.#process = Bun.spawn(
      [
        ...["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", CLASSES],
        ...["org.apache.zookeeper.server.quorum.QuorumPeerMain", file],
      ],
      { cwd: this.#directory, stdio: ["ignore", "ignore", "ignore"] },
    );
    await waitFor("ZooKeeper to answer", () =>
      this.with((session) => getData(session, "/")).then(
        () => true,
        () => false,
      ),
    );
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async with<T>(run: (session: Session) => Promise<T>, user?: { username: string; password: string }): Promise<T> {
    const session = await Session.open({ endpoint: this.endpoint, ...user }, new AbortController().signal);
    try {
      return await run(session);
    } finally {
      session.close();
    }
  }

  /**
   * One transaction: what has a value is put, with the nodes above it, and what is null is deleted; with `prunes` the nodes above it too
   * that nothing hangs on any more, down to the fourth level.
   */
  async change(changes: Readonly<Record<string, string | null>>, prunes = false): Promise<void> {
    await this.with(async (session) => {
      const made = new Set<string>();
      const list: Change[] = [];
      for (const [key, data] of Object.entries(changes)) {
        const path = `/${key}`;
        if (data === null) {
          list.push({ kind: "delete", path });
          for (let above = parentOf(path); prunes && above.split("/").length > 5; above = parentOf(above)) {
            if ((await getChildren(session, above)).length > 1) break;
            list.push({ kind: "delete", path: above });
          }
        } else {
          const steps = key.split("/");
          for (let n = 1; n < steps.length; n++) {
            const above = `/${steps.slice(0, n).join("/")}`;
            if (made.has(above) || (await getData(session, above)) !== null) continue;
            made.add(above);
            list.push({ kind: "create", path: above, data: "" });
          }
          const kind = made.has(path) || (await getData(session, path)) !== null ? "set" : "create";
          made.add(path);
          list.push({ kind, path, data });
        }
      }
      await multi(session, list, false);
    });
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
