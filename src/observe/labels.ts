// What the labels of metrics say. None of them comes from a client.

/** In Markdown; links are relative to docs/. */
export const LABELS: Readonly<Record<string, string>> = {
  cause: "[Why the handshake failed](operations.md#why-a-handshake-fails).",
  code: "[What is wrong and what to do](diagnostics.md).",
  cn: "The common name of the certificate's subject; of a certificate of a resolver, the first of its names.",
  direction: "`in` from clients, `out` to clients.",
  entrypoint: "The name of the entry point.",
  name: "The name that is asked in DNS: a host, or a name of SRV records.",
  options: "The name of the TLS options.",
  path: "`direct`: taken whole by one write. `held`: had to wait for the receiver.",
  provider: "The name of the provider, as it stands behind the @ in names.",
  process: "`master`, `worker` or `broker`.",
  limit: "The reason of those who would wait too long: [admission](protection.md#admission).",
  reason:
    "[Why the dial failed](operations.md#why-a-dial-fails), on the last address. Of bans, [how the last failure ended](operations.md#how-a-connection-ends), or `by-hand`. Of admission, [why not](operations.md#how-a-connection-ends).",
  resource: "`descriptors`, `local-ports` or `source-addresses`.",
  resolver: "The name of the certificates resolver.",
  result:
    "Of connections, [how they ended](operations.md#how-a-connection-ends); at a server also `closed` and `silent`, for clients that went on to another one. Of loads and of questions to DNS, `success` or `failure`. Of orders, `obtained`, `renewed`, `taken` (from another Sluice) or `failed`. Of offered sessions, `resumed` or `not-resumed`. Of checks, [what they found](brokers.md#what-a-check-finds).",
  resumed: "Whether the client resumed a session: `true` or `false`.",
  router: "The name of the router.",
  sans: "The names in the certificate, in alphabetical order, with commas between them.",
  serial: "The certificate's serial number.",
  server: "The address of the server.",
  service: "The name of the service.",
  severity: "`error` or `warning`.",
  stage: "How far the client had come: `accepted`, `hello` (it is read) or `handshake` (it is done).",
  source: "The path of the file or directory.",
  table:
    "Whose clients are counted: an [entry point](protection.md#admission) or a [middleware](configuration.md#limits-for-clients), with what it counts them by.",
  worker: "The number of the worker. The one that replaces a worker has the same.",
  version: "Of handshakes, the TLS version; of the build, Sluice's.",
};
