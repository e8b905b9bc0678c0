// What a rule is once read: plain data, so that it can be cloned to a worker or shown by the API.

/** A Traefik v3 TCP rule as a tree. Made by `parseRule`, which alone guarantees that names, regexps and networks in it are valid. */
export type Rule =
  /** HostSNI(`name`): lower-cased, without trailing dot. */
  | { kind: "hostSNI"; name: string }
  /** HostSNI(`*.d`): `suffix` is ".d"; exactly one label stands in place of the star. */
  | { kind: "hostSNIWildcard"; suffix: string }
  /** HostSNI(`*`): every connection, with or without SNI. */
  | { kind: "any" }
  /** HostSNIRegexp(`source`): RE2 syntax, searched for anywhere in the lower-cased SNI. */
  | { kind: "hostSNIRegexp"; source: string }
  /** ClientIP(`…`): always address/prefix, host bits cleared, IPv4-mapped written as IPv4. */
  | { kind: "clientIP"; cidr: string }
  /** ALPN(`protocol`): the client offers this protocol, whatever else it offers. */
  | { kind: "alpn"; protocol: string }
  | { kind: "not"; rule: Rule }
  | { kind: "and" | "or"; rules: Rule[] };

/** What is known of a connection when it is routed. */
export interface Facts {
  /** Lower-cased, no trailing dot; "" when the client sent none. */
  sni: string;
  /** What the client offers, in its order. */
  alpn: readonly string[];
  /** 4 or 16 bytes, as `parseAddress` gives them; null when the peer has no IP address. IPv4-mapped IPv6 counts as IPv4. */
  address: Uint8Array | null;
}
