// The engines of the stores with a key for each value, as the static configuration describes them.

import type { StaticConfig } from "../config/static.ts";
import type { Engine } from "./engine.ts";
import { LazyEngine } from "./lazy-engine.ts";

export function storesOf({ providers: { etcd, consul, zooKeeper } }: StaticConfig): Engine[] {
  const engines: Engine[] = [];
  const add = (name: string, endpoints: readonly string[], load: () => Promise<Engine>) =>
    engines.push(new LazyEngine(name, `${name} ${endpoints.join(",")}`, load));
  if (etcd !== undefined)
    add("etcd", etcd.endpoints, async () => new (await import("./etcd/engine.ts")).EtcdEngine(etcd));
  if (consul !== undefined)
    for (const namespace of consul.namespaces ?? [undefined])
      add(namespace === undefined ? "consul" : `consul-${namespace}`, consul.endpoints, async () => {
        const { ConsulEngine } = await import("./consul/engine.ts");
        return new ConsulEngine({ ...consul, namespace });
      });
  if (zooKeeper !== undefined)
    add("zookeeper", zooKeeper.endpoints, async () => {
      const { ZooKeeperEngine } = await import("./zookeeper/engine.ts");
      return new ZooKeeperEngine(zooKeeper);
    });
  return engines;
}
