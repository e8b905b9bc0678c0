// The stores of a configuration that can be written into.

import type { StaticConfig } from "../../config/static.ts";
import type { StoreWriter } from "./writer.ts";

export interface WritableStore {
  /** As in `--provider`, and in front of keys in messages. */
  readonly name: string;
  readonly rootKey: string;
  open(): Promise<StoreWriter>;
}

export function writableStores({ providers }: StaticConfig): WritableStore[] {
  const { redis, etcd, consul, zooKeeper } = providers;
  const stores: WritableStore[] = [];
  if (redis !== undefined)
    stores.push({
      name: "redis",
      rootKey: redis.rootKey,
      open: async () => new (await import("../redis/writer.ts")).RedisWriter(redis),
    });
  if (etcd !== undefined)
    stores.push({
      name: "etcd",
      rootKey: etcd.rootKey,
      open: async () => new (await import("../etcd/writer.ts")).EtcdWriter(etcd),
    });
  if (consul !== undefined)
    for (const namespace of consul.namespaces ?? [undefined])
      stores.push({
        name: namespace === undefined ? "consul" : `consul-${namespace}`,
        rootKey: consul.rootKey,
        open: async () => new (await import("../consul/writer.ts")).ConsulWriter({ ...consul, namespace }),
      });
  if (zooKeeper !== undefined)
    stores.push({
      name: "zookeeper",
      rootKey: zooKeeper.rootKey,
      open: async () => new (await import("../zookeeper/writer.ts")).ZooKeeperWriter(zooKeeper),
    });
  return stores;
}
