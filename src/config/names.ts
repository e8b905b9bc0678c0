// Names of routers, services, transports and TLS options: `name@provider`, as in Traefik. A reference without a provider means the
// one that it is written in, so two providers may use the same name.

/** The provider of what Sluice makes itself, and of what the static file's `sidecar` stands for. */
export const INTERNAL = "internal";

/** The TLS options of routers that name none. They are for all providers together, so the name never has a provider behind it. */
export const DEFAULT_OPTIONS = "default";

/** The name under which something is kept that `provider` calls `name`. */
export function fullName(name: string, provider: string): string {
  return `${name}@${provider}`;
}

/** A full name as it is written in its own provider. */
export function bareName(name: string): string {
  const at = name.lastIndexOf("@");
  return at < 0 ? name : name.slice(0, at);
}

/** The name under which is kept what `reference` means in `provider`. The provider in a reference has no case. */
export function qualify(reference: string, provider: string): string {
  const at = reference.lastIndexOf("@");
  return at < 0
    ? fullName(reference, provider)
    : fullName(reference.slice(0, at), reference.slice(at + 1).toLowerCase());
}

/** A full name as one refers to it in `provider`. */
export function shortName(name: string, provider: string): string {
  return name.endsWith(`@${provider}`) ? bareName(name) : name;
}
