// Which of several providers goes first where two of them offer what is equal otherwise.

/** Traefik's order, with the names of all its providers. */
export const PRECEDENCE = [
  "kubernetesgateway",
  "kubernetescrd",
  "kubernetes",
  "kubernetesingressnginx",
  "swarm",
  "docker",
  "file",
  "redis",
  "knative",
  "consul",
  "consulcatalog",
  "nomad",
  "etcd",
  "ecs",
  "http",
  "zookeeper",
  "rest",
] as const;

/** `names` in the order of `precedence`; those that are not in it come last, in the order of their names. */
export function orderOf(precedence: readonly string[], names: Iterable<string>): string[] {
  const at = (name: string) => (precedence.includes(name) ? precedence.indexOf(name) : precedence.length);
  return [...names].sort((a, b) => at(a) - at(b) || (a < b ? -1 : 1));
}

/** The rank of each of `names`, which `orderOf` has put in order: from 0, and the same for all that are not in `precedence`. */
export function ranksOf(precedence: readonly string[], names: readonly string[]): Map<string, number> {
  const listed = names.filter((name) => precedence.includes(name));
  return new Map(names.map((name) => [name, listed.includes(name) ? listed.indexOf(name) : listed.length]));
}
