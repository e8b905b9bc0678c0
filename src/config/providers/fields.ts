// The fields of `providers` that are providers, as the static configuration writes them; in names they are in lower case.

export const PROVIDER_FIELDS = ["file", "docker", "swarm", "redis", "etcd", "consul", "zooKeeper", "http"] as const;
