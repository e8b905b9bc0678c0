// The codes of diagnostics: what each one means, and what to do. docs/diagnostics.md is made of it. A code is never renamed: alerts and
// scripts go by it.

export interface Explained {
  /** What is the case. */
  readonly means: string;
  /** What the operator does about it. */
  readonly remedy: string;
}

const define = <T extends Readonly<Record<string, Readonly<Record<string, Explained>>>>>(groups: T): T => groups;

export const CODES = define({
  "Files and their syntax": {
    "configuration-missing": {
      means: "Sluice was started without any configuration: no file, no variable, no flag.",
      remedy: "Name the static file with `--configFile=FILE`, or the broker with `--sidecar=HOST:PORT`.",
    },
    "file-unreadable": {
      means: "A file that the configuration names cannot be read.",
      remedy: "Mend the path or the rights: it must be a regular file that Sluice's user may read.",
    },
    "directory-unreadable": {
      means: "A directory of configuration files cannot be read, or not to its end.",
      remedy: "Mend the path or the rights, and remove loops and deeply nested directories.",
    },
    "file-empty": {
      means: "A configuration file has nothing in it, and nothing is read from it.",
      remedy: "Write the configuration into it, or `{}` if nothing shall be in it.",
    },
    "file-vanished": {
      means:
        "What a file or a directory held is gone, without anyone having said so: it is empty, or something else now. What it held goes on serving.",
      remedy:
        "Put it back. If nothing shall be served, write `{}` into the file, or leave one such file in the directory.",
    },
    "file-system-silent": {
      means: "The configuration is on a file system that may send no events when a file is changed from elsewhere.",
      remedy:
        "Set `providers.file.poll`, for example to `5s`, or `providers.file.watch: false` if SIGHUP is what you want.",
    },
    "entry-not-read": {
      means:
        "An entry of the configuration directory is not read: it is no regular file, a directory that is read already, or a link to nothing.",
      remedy: "Remove it, mend the link, or give it a name that does not end in `.yml` or `.yaml`.",
    },
    "yaml-syntax": {
      means: "The file is not YAML.",
      remedy: "Mend the line, or the one before it: mostly indentation, a quote or a bracket is wrong there.",
    },
    "toml-file": {
      means: "The file is TOML, which Sluice does not read.",
      remedy: "Write the same keys as YAML, in a `.yml` file. The message has a command that does it.",
    },
    "go-template": {
      means: "The file has Go templates, `{{ ... }}`, which Sluice does not run.",
      remedy: "Write the values out, or make the file with a tool of your own.",
    },
    "dynamic-file-as-static": {
      means: "The file that is given as the static configuration holds nothing but dynamic configuration.",
      remedy: "Give the static file with `--configFile=FILE`, and name this one in it under `providers.file`.",
    },
    "static-file-as-dynamic": {
      means: "A file among the dynamic ones holds nothing but static configuration. Nothing of it is used there.",
      remedy: "Give it with `--configFile=FILE`, or move it out of the directory of dynamic files.",
    },
    "file-too-large": {
      means:
        "The file holds more values than Sluice reads, two million, or its aliases and merge keys unfold into so many.",
      remedy:
        "Use fewer aliases inside of what other aliases stand for. A file that is so large without them is divided into several, or is no configuration.",
    },
    "entry-refused": {
      means:
        "A router, service or other part that a store holds (Redis, the labels of a container) has a mistake. It is as it was before, or off, or left out; everything else in the store is in force.",
      remedy: "Mend what the other message about the same part tells.",
    },
    "entry-ignored": {
      means: "The store has entries under Sluice's root key that are no dynamic configuration.",
      remedy: "Mend the spelling of the key, or move what belongs to others below another root key.",
    },
    "word-for-boolean": {
      means: "A word such as `yes` or `1` stands for `true`. Sluice takes it so, and Traefik does not.",
      remedy: "Write `true` or `false`.",
    },
    "provider-away": {
      means:
        "Where a provider keeps its routes cannot be read. What it gave last goes on serving; it is tried again and again.",
      remedy:
        "Mend what the message tells. With `providers.cache` a restart meanwhile serves what was last good; without it there is nothing of this provider after one.",
    },
    "provider-deaf": {
      means: "A provider can read its store, and does not hear of changes. It looks for them from time to time.",
      remedy: "Mend what the message tells: mostly a right is missing.",
    },
    "provider-emptied": {
      means:
        "A store that was away has come back with nothing in it. That is not taken for meant: what it gave before goes on serving.",
      remedy:
        "Put the routes back. If nothing shall be served, send SIGHUP, or restart Sluice while the store can be reached.",
    },
    "import-unfinished": {
      means:
        "An import (`sluice kv import`) writes into the store, and has not come to its end. Of what it writes nothing is taken before that.",
      remedy: "Wait. If the import was killed, run it again with `--resume`.",
    },
    "name-with-slash": {
      means: "A name in a file has a slash or an @ in it, and no store can hold it.",
      remedy: "Give it another name.",
    },
    "store-differs": {
      means: "A part of a file would mean something else in a store, so nothing is written.",
      remedy: "Write the part in another way. Please report it: it is a mistake of Sluice's.",
    },
    "cache-unusable": {
      means:
        "What `providers.cache` holds cannot be read or written, so a restart while the store is away finds nothing.",
      remedy: "Make the directory one that Sluice's user may write to, on a disk with room.",
    },
    "load-failed": {
      means: "The configuration could not be loaded at all. What served before goes on serving.",
      remedy: "Read the message. Mostly the working directory of Sluice has been removed: start Sluice anew.",
    },
  },
  "Fields and values": {
    "unknown-field": {
      means: "The configuration has no such field. The file is refused.",
      remedy: "Mend the spelling. The references list every field.",
    },
    "field-twice": {
      means: "One field or one name is given twice in the same place.",
      remedy: "Remove one of the two.",
    },
    "field-missing": {
      means: "A field is required and not there.",
      remedy: "Add the field.",
    },
    "field-type": {
      means: "A value is of the wrong form: a single value, a list or a mapping where another one is needed.",
      remedy: "Write the form that the message names.",
    },
    "field-value": {
      means: "A value is not one that the field takes.",
      remedy: "Write a value of the kind that the message names. The references have an example for each field.",
    },
    "fields-conflict": {
      means: "Fields are given that do not go together, or one of which needs another.",
      remedy: "Keep one of them, or add the one that is missing.",
    },
    "field-ignored": {
      means: "Sluice lacks a field of Traefik's, or it has no effect here. All else works.",
      remedy: "Remove the field, if you can do without it.",
    },
    "field-unsupported": {
      means:
        "Sluice lacks a field of Traefik's and cannot ignore it, because that could weaken what you configured. What carries the field is off.",
      remedy: "Configure it in another way. [Traefik compatibility](traefik-compatibility.md) says which.",
    },
    "section-empty": {
      means:
        "A section has nothing behind its name, as `tls:` alone, and counts as not given. `tls: {}` would be one with defaults.",
      remedy: "Remove the line, or write `{}` behind it.",
    },
    "name-invalid": {
      means: "A name is empty, or has `@` in it, which stands before the provider.",
      remedy: "Choose another name.",
    },
    "name-twice": {
      means:
        "A name is configured in two files: the first one wins. Or two providers have TLS options called `default`: the load is refused.",
      remedy: "Rename one of the two, or remove it.",
    },
    "setting-unknown": {
      means: "A variable `SLUICE_...` or a flag leads to no field of the static configuration.",
      remedy: "Mend its spelling, or unset it. Routers and services come from files, not from variables.",
    },
    "setting-incomplete": {
      means: "A variable or a flag names a section, no value, or an entry of a list that cannot be there.",
      remedy: "Name one field, with a value. Entries of a list are counted from 0, without a gap.",
    },
    "setting-twice": {
      means: "Two variables give the same field.",
      remedy: "Unset one of the two.",
    },
  },
  "Entry points and providers": {
    "entry-point-unknown": {
      means: "An entry point is named that the static configuration does not define.",
      remedy: "Mend the name, or define it under `entryPoints`.",
    },
    "entry-point-missing": {
      means: "No entry point takes MQTT connections.",
      remedy: 'Add one, for example `entryPoints: { mqtts: { address: ":8883" } }`.',
    },
    "api-open": {
      means: "The API would be served to everybody who reaches an address that is not loopback.",
      remedy: "Give it users or tokens, or an entry point on 127.0.0.1.",
    },
    "ban-storage": {
      means:
        "The file with the bans of entry points cannot be read or written. Bans work all the same; a restart lifts them.",
      remedy:
        "Mend its path and rights: mode 600, in a directory that Sluice's user may write. A broken file is replaced at the next ban.",
    },
    "entry-point-unused": {
      means: "No router uses the entry point: every connection to it is refused.",
      remedy: "Add a router for it, or remove it.",
    },
    "entry-point-admin": {
      means: "A router names an entry point that serves `/metrics`, `/ping` or challenges, and no routers.",
      remedy: "Name another entry point in the router.",
    },
    "address-taken": {
      means: "Two listeners of the configuration want the same address and port.",
      remedy: "Change one of the two addresses.",
    },
    "proxy-header-open": {
      means:
        "An entry point believes the PROXY headers of more than the load balancers: whoever can reach it from there can pretend to come from any address.",
      remedy: "Name the addresses of the load balancers, and nothing else, in `proxyProtocol.trustedIPs`.",
    },
    "worker-selection": {
      means:
        "An entry point steers clients by their addresses, and all of them come by a load balancer: one worker may get them all.",
      remedy: "Take `workerSelection: address` out, or let the load balancer pass addresses on (transparent mode).",
    },
    "routers-missing": {
      means: "There is no router, or nothing that routers could come from: every connection is refused.",
      remedy: "Configure `providers.file` or `sidecar`, and write a router.",
    },
  },
  "Docker and swarm": {
    "label-unknown": {
      means: "A label under `sluice.` or `traefik.` is one that Sluice does not know. It is left out.",
      remedy: "Mend the spelling. [Labels](docker.md#labels) has them all.",
    },
    "label-value": {
      means:
        "A label has a value or a name that cannot be. Where it would say whether a container is served, the container keeps its names and refuses.",
      remedy: "Write the value that the message names.",
    },
    "label-twice": {
      means:
        "Two labels of one container say something different of the same field: one is under `sluice.` and one under `traefik.`, or they differ in case.",
      remedy: "Remove one of them. Those under `sluice.` go first.",
    },
    "label-conflict": {
      means:
        "Two containers give a router, a service or another part the same name and not the same labels. The older container's is used, so nobody takes over a name by starting a container.",
      remedy: "Give one of them another name. Replicas must have the same labels, but for their ports.",
    },
    "container-unhealthy": {
      means: "A container's health check has not passed, so its routers are not there.",
      remedy:
        "Look into the container. With `allowEmptyServices: true` its routers stay meanwhile, and refuse their clients.",
    },
    "network-ambiguous": {
      means: "A container is in several networks, and the first of them by name is used.",
      remedy: "Name one, with the label `sluice.docker.network` or with `providers.docker.network`.",
    },
    "network-unknown": {
      means: "A container is not in the network that a label or the configuration names. Another one is used.",
      remedy: "Mend the name, or attach the container. Compose puts the project's name before that of a network.",
    },
    "network-not-shared": {
      means: "Sluice runs in a container, and shares no network with another one that it is to lead to.",
      remedy: "Attach one of the two to a network of the other.",
    },
    "port-missing": {
      means: "A container exposes no port and no label names one. Its service has no server.",
      remedy: "Add the label that the message has.",
    },
    "port-invalid": {
      means: "A label's port is none. The service has no server.",
      remedy: "Write a number from 1 to 65535.",
    },
    "address-missing": {
      means: "A container has no address that Sluice could dial. Its service has no server.",
      remedy:
        "Attach it to a network. Where containers have no addresses, as with Podman without root, publish the port and set `useBindPortIP`.",
    },
    "service-ambiguous": {
      means: "A router names no service, and its container has several.",
      remedy: "Name one in the label `...routers.NAME.service`.",
    },
  },
  "Routers and rules": {
    "rule-missing": {
      means: "A router has no rule, so it is not known which names are its own. The load is refused.",
      remedy: "Add one, for example ``rule: HostSNI(`mqtt.example.com`)``.",
    },
    "rule-syntax": {
      means: "A rule cannot be read, so it is not known which names are its own. The load is refused.",
      remedy: "Mend the rule at the column that the message names. [Rules](configuration.md#rules) has all forms.",
    },
    "rule-of-address": {
      means:
        "A rule asks for an IP address as the server name. Clients that dial an address ask for no name, except a few.",
      remedy: "Write ``HostSNI(`*`)`` for clients that ask for no name, or let clients dial a name.",
    },
    "rule-without-tls": {
      means: "The rule asks for a server name, and the router has no `tls`: without TLS nobody sends one. It is off.",
      remedy: "Add `tls: {}` to terminate TLS, or write ``HostSNI(`*`)``.",
    },
    "router-without-entry-points": {
      means:
        "None of the entry points that the router names exists, so it is not known where its names are. The load is refused.",
      remedy: "Mend the names, or leave `entryPoints` out to use all.",
    },
    "rule-of-mqtt": {
      means:
        "A rule asks for what the client's CONNECT says, and the router passes TLS through, so nobody reads it. The router is off.",
      remedy: "Terminate TLS in this router, or drop the matchers of MQTT.",
    },
    "balancing-impossible": {
      means:
        "A service knows its clients by their client id, user name or certificate (`hrw`, `sticky` or `takeover`), and its router passes TLS through, so nobody sees them. The router is off.",
      remedy: "Terminate TLS in this router, or let the service know its clients by `clientIP` or `sni`.",
    },
    "balancing-without-key": {
      means:
        "A service knows its clients by something that no client of this router has: a verified certificate where none is asked for, or an SNI without TLS. They go to the servers in turn.",
      remedy: "Set another `hashKey` or `sticky.key`, or let the router ask for it.",
    },
    "rule-of-mqtt-tls": {
      means:
        "Two routers differ only in what they ask of the client's CONNECT, and have other TLS settings. The CONNECT comes after TLS, so while TLS is set up it is not known which of them is meant. Both are off.",
      remedy: "Give both the same `tls.options`, and let both terminate TLS.",
    },
    "router-other-tls": {
      means:
        "A client may come to a router by its CONNECT alone, and that router has other TLS settings than the one by which its TLS was set up. Such a client is refused.",
      remedy:
        "Give both the same `tls.options`, or add a router that takes such clients and has the settings of the first one.",
    },
    "router-shadowed": {
      means: "A router never gets a connection, or never some of its names: others are asked first and take them.",
      remedy: "Give it a higher `priority`, or remove what is double.",
    },
    "passthrough-to-plain": {
      means: "A router passes TLS through to 1883, the port of plain MQTT. No client can connect.",
      remedy: "Drop `passthrough: true` to terminate TLS here, or name the broker's TLS port.",
    },
    "service-missing": {
      means: "A router names no service and is off.",
      remedy: "Add `service`, with the name of an entry of `tcp.services`.",
    },
  },
  "Services and servers": {
    "service-unknown": {
      means: "A service is named that does not exist. What names it is off.",
      remedy: "Mend the name, or define the service.",
    },
    "service-off": {
      means:
        "A service is used that is off. A router that uses it is off too; a weighted service goes on with its others.",
      remedy: "Mend the service: another message says what is wrong with it.",
    },
    "service-kind": {
      means: "A service has more than one of `loadBalancer`, `weighted` and `failover`, or none. It is off.",
      remedy: "Give it one of the three.",
    },
    "service-cycle": {
      means: "A weighted service or a failover contains itself, by way of others. It is off.",
      remedy: "Remove one of the services from the circle.",
    },
    "service-too-large": {
      means: "A service is made of more servers, or of more services inside one another, than Sluice takes. It is off.",
      remedy: "Make it of fewer.",
    },
    "service-empty": {
      means: "A service has no server, or none with a weight above 0. Its clients are disconnected.",
      remedy: "Add a server.",
    },
    "service-drained": {
      means: "All servers of a service are drained. It takes no new client: one that has sent CONNECT is told so.",
      remedy:
        "Take `drain` from one of them. If nobody shall come, this says that it is so. Clients go elsewhere where a weighted service has another service beside it.",
    },
    "proxy-header-bypass": {
      means:
        "A server with a public address or name is told by PROXY headers who its clients are. A header goes before TLS, and nothing protects it: whoever reaches the server, or is on the way to it, can pretend to be any client.",
      remedy:
        "Let the server listen on 127.0.0.1 or in a private network, and take connections from Sluice alone. For one beyond that, use `tls: true` and tell it user names by `mqttIdentity`.",
    },
    "server-address": {
      means: "The address of a server cannot be used. The server is left out, and the others serve.",
      remedy:
        "Write `host:port`, a `port` alone for 127.0.0.1, `unix:///path` for a Unix socket, or `srv` with the name of SRV records.",
    },
    "source-address-unknown": {
      means:
        "An address in `sourceAddresses` is not one of this machine. Nothing is dialled from it as long as that is so; the others are used.",
      remedy:
        "Mend it, or add it to a network interface. Where the configuration is checked on another machine than it runs on, nothing.",
    },
    "transport-unknown": {
      means: "A service names a transport that does not exist, and is off.",
      remedy: "Mend the name, or define it under `tcp.serversTransports`.",
    },
    "transport-off": {
      means: "The transport of a service is off, and with it the service.",
      remedy: "Mend the transport: another message says what is wrong with it.",
    },
    "client-certificate-unused": {
      means: "A transport has several client certificates. Only the first is used.",
      remedy: "Remove the others, or make a transport for each.",
    },
  },
  Middlewares: {
    "middleware-unknown": {
      means: "A router names a middleware that does not exist, and is off.",
      remedy: "Mend the name, or define it under `tcp.middlewares`.",
    },
    "middleware-off": {
      means:
        "A router names a middleware that cannot work, and is off: without it somebody could come in who should not.",
      remedy: "Mend the middleware: another message says what is wrong with it.",
    },
    "middleware-misplaced": {
      means:
        "A middleware reads what is inside of TLS, and its router passes TLS through; or it counts by certificates or server names, and its router's clients have none. The router is off.",
      remedy:
        "Terminate TLS in this router, and verify certificates if they are counted; or count by another `key`, or drop the middleware.",
    },
    "middleware-kind": {
      means: "A middleware has no kind, or several.",
      remedy: "Give it one kind, such as `ipAllowList`, and make a second middleware of the other.",
    },
    "middleware-value": {
      means: "A value of a middleware cannot be used.",
      remedy: "Mend the value that the message names.",
    },
    "identity-impossible": {
      means:
        "A router's `mqttIdentity` asks for what none of its clients can have: a name in a certificate, where no certificate is verified, or a server name, where there is no TLS. The router is off.",
      remedy: "Give the router TLS options with `clientAuth` and `caFiles`, or take the placeholder out.",
    },
    "identity-unproven": {
      means:
        "A router tells its server a user name that is the client's own word: its client id, or its user name, which no `mqttAuth` and no `require` holds to anything. Whoever comes in can be anybody.",
      remedy: "Add a `require`, or a `mqttAuth` for user names, or make the user name of a certificate.",
    },
    "identity-bypass": {
      means:
        "A router tells its server the clients' user names by `mqttIdentity`, or keeps their passwords from it by `mqttAuth`. The server has a public address or name, and is dialled without TLS. Whoever reaches it without Sluice can say any user name.",
      remedy:
        "Let the server listen on 127.0.0.1 or in a private network, or dial it by TLS (`tls: true`) and let it ask for Sluice's certificate.",
    },
  },
  "Lists of networks": {
    "network-line": {
      means:
        "A line of a list of networks cannot be read. In a list of those who may come in, it lets nobody in. In a list of those who may not, whoever was kept out before stays out until the line is mended.",
      remedy: "Write one address or network in CIDR form, such as `192.0.2.0/24`, or put a `#` before a comment.",
    },
    "network-file": {
      means:
        "A list of networks cannot be used as a whole. Its former networks stay in force; if there are none, what needs it is off.",
      remedy: "Mend what the message names.",
    },
    "network-file-empty": {
      means: "A list of those who may come in has no network.",
      remedy: "Add the networks that may come in.",
    },
  },
  "Password files": {
    "auth-without-certificates": {
      means:
        "A middleware `mqttAuth` has `certificateIsEnough`, and its router verifies no certificates: clients without a password stay out.",
      remedy: "Give the router TLS options with `clientAuth` and `caFiles`, or drop `certificateIsEnough`.",
    },
    "password-line": {
      means: "A line of a password file cannot be used. Its user is refused, and the others are not.",
      remedy: "Write the user anew: `mosquitto_passwd FILE NAME`. If the name is there twice, remove one of its lines.",
    },
    "password-file": {
      means:
        "A password file cannot be used as a whole. Its former users stay in force; if there are none, what needs it is off.",
      remedy: "Mend what the message names.",
    },
    "password-file-empty": {
      means: "A password file has no user that could come in.",
      remedy: "Add one with `mosquitto_passwd FILE NAME`, or mend its lines.",
    },
  },
  "TLS options": {
    "options-unknown": {
      means: "A router names TLS options that do not exist, and is off.",
      remedy: "Mend the name, or define them under `tls.options`.",
    },
    "options-misspelled": {
      means:
        "TLS options are almost called `default`, and there are none of that name. Only routers that name them have them.",
      remedy: "Call them `default`, if routers that name none shall have them, or give them another name.",
    },
    "default-options-gone": {
      means:
        "The TLS options called `default` are not in the configuration any more, and routers that name none would ask clients for less than before: the load is refused.",
      remedy: "Put them back. If nothing more shall be asked of clients, write `default: {}` under `tls.options`.",
    },
    "options-off": {
      means: "The TLS options of a router cannot be used, and the router is off.",
      remedy: "Mend the options: another message says what is wrong with them.",
    },
    "tls-version": {
      means: "The TLS versions that are allowed leave none that a client could use.",
      remedy: "Mend `minVersion`, `maxVersion` and `cipherSuites` so that they have a version in common.",
    },
    "tls-version-old": {
      means: "TLS options let clients in with TLS 1.0 or 1.1, which are deprecated.",
      remedy:
        "Raise `minVersion` to `VersionTLS12` when no such device is left. Until then name these options at the routers of these devices alone.",
    },
    "cipher-weak": {
      means: "TLS options name cipher suites without forward secrecy, or with CBC.",
      remedy:
        "Remove them when no device needs them. Until then name these options at the routers of these devices alone.",
    },
    "cipher-unknown": {
      means: "A cipher suite or a curve has a name that nobody knows, or none of the list can be used.",
      remedy: "Write Go's names, as in the [dynamic reference](reference/dynamic.md).",
    },
    "cipher-unavailable": {
      means: "BoringSSL, the TLS library, lacks a cipher suite or a curve. It is left out.",
      remedy: "Remove the name from the list.",
    },
    "client-auth": {
      means: "Clients are to be verified in a way that cannot work: what it needs is not configured.",
      remedy: "Add what the message names: `caFiles`, `crlFiles` or another `clientAuthType`.",
    },
    "name-pattern": {
      means: "An entry of `allowedNames` cannot be read.",
      remedy: "Write it as in [allowedNames](configuration.md#allowednames).",
    },
    "crl-points": {
      means: "The revocation lists of one authority are for parts of its certificates only.",
      remedy: "Give a list that is complete, without a distribution point.",
    },
    "crl-missing": {
      means: "An authority among `caFiles` has no revocation list, or is revoked itself. Its clients are refused.",
      remedy: "Add its list to `crlFiles`, or remove the authority.",
    },
    "crl-due": {
      means: "A revocation list is due for renewal soon, or was. Then all clients of its authority are refused.",
      remedy: "Fetch the new list, and have it fetched by a timer.",
    },
  },
  "Certificates and keys": {
    "certificate-invalid": {
      means: "A certificate cannot be used: it is damaged, or the file holds none.",
      remedy: "Look at the file with `sluice certs show FILE`, and put the certificate there in PEM.",
    },
    "key-invalid": {
      means: "A private key cannot be used: it is damaged, of an unknown kind, or the file holds none.",
      remedy: "Look at the file with `sluice certs show FILE`. Keys are EC P-256, P-384, P-521, Ed25519 or RSA.",
    },
    "key-mismatch": {
      means: "The private key does not belong to the certificate.",
      remedy: "Give the key that the certificate was made with. Perhaps one of the two files was renewed alone.",
    },
    "key-password": {
      means: "The password of a key or of a store is missing or wrong.",
      remedy: "Mend `keyPassword`, `keyStorePassword` or `caPassword`, or the file or the variable that it comes from.",
    },
    "key-store": {
      means: "A key store cannot be read, or does not hold the wanted entry.",
      remedy: "Look at it with `sluice certs show FILE`, and name the entry with `keyAlias`.",
    },
    "key-store-type": {
      means: "A key store is of another kind than `keyStoreType` says. It is read as what it is.",
      remedy: "Remove `keyStoreType`, or mend it.",
    },
    "authority-invalid": {
      means: "A file of authorities (`caFiles`, `rootCAs`) cannot be used.",
      remedy: "Look at it with `sluice certs show FILE`, and put the authorities' certificates there.",
    },
    "crl-invalid": {
      means: "A revocation list cannot be used: it is damaged, or of another authority.",
      remedy: "Fetch the list anew from the authority whose certificate is in `caFiles`.",
    },
    "certificate-directory": {
      means: "Something in a certificate directory cannot be used. The rest of it serves.",
      remedy:
        "Look at the file or directory that the message names. A file that is just being written is read again by itself.",
    },
    "certificate-directory-empty": {
      means: "A certificate directory holds no pair of certificate and key yet.",
      remedy: "Put one there: it serves without a restart.",
    },
    "certificate-expired": {
      means: "A certificate has expired: clients refuse it.",
      remedy: "Renew it, and put the new one in the same place.",
    },
    "certificate-expires-soon": {
      means: "A certificate expires within 30 days.",
      remedy: "Renew it, or see why what renews it has not done so.",
    },
    "certificate-not-yet-valid": {
      means: "A certificate is not valid yet: clients refuse it.",
      remedy: "See whether the clock is right, and wait or give another certificate.",
    },
    "certificate-unused": {
      means: "No router terminates TLS for any name of the certificate.",
      remedy: "See whether its names are those of the rules, or remove it.",
    },
    "certificate-chain": {
      means:
        "The chain of a certificate is incomplete, out of order, or has certificates in it that do not belong there.",
      remedy: "Put the certificate and each one's issuer behind it into the file, without others.",
    },
    "certificate-weak": {
      means: "The key of a certificate is too short to be safe. Many clients refuse it.",
      remedy: "Have it issued anew for an EC P-256 key or an RSA key of 2048 bits or more.",
    },
    "certificate-without-names": {
      means: "A certificate has no subject alternative name: most clients refuse it for any host.",
      remedy: "Have it issued anew with the names of the host as `subjectAltName`. A common name is not enough.",
    },
    "certificate-must-staple": {
      means: "A certificate demands OCSP stapling, which Sluice does not do: clients that heed this refuse it.",
      remedy: "Have it issued anew without the TLS feature extension (must-staple).",
    },
    "certificate-missing": {
      means: "There is no certificate for a name: its clients get a self-signed one that none should trust.",
      remedy: "Add a certificate under `tls.certificates`, or a `certResolver` to the router.",
    },
    "default-certificate-missing": {
      means:
        "A router takes clients without SNI, and no certificate is the default one: they get a self-signed one that none should trust.",
      remedy:
        "Name one as `tls.stores.default.defaultCertificate`, or set `sniStrict` in the router's TLS options to refuse such clients.",
    },
    "default-certificate-twice": {
      means: "Two files have a default certificate. The first file wins.",
      remedy: "Remove one of the two.",
    },
    "store-unused": {
      means: "A store is configured that is not called `default`. It is not used, as in Traefik.",
      remedy: "Move its certificate to the store `default`, or to `tls.certificates`.",
    },
    "clock-wrong": {
      means: "The clock of the machine is so far behind that no certificate is valid.",
      remedy: "Set the clock, best by NTP.",
    },
  },
  "Certificate resolvers": {
    "resolver-unknown": {
      means: "A router names a resolver that does not exist. No certificate is ordered for it.",
      remedy: "Mend the name, or define it under `certificatesResolvers`.",
    },
    "resolver-without-challenge": {
      means: "A resolver has no way to prove a name.",
      remedy: "Add one of `tlsChallenge`, `httpChallenge` and `dnsChallenge`.",
    },
    "resolver-without-email": {
      means: "A resolver has no `email`: the authority cannot write to you.",
      remedy: "Add `email`.",
    },
    "resolver-unused": {
      means: "A router passes TLS through, so its `certResolver` has no effect.",
      remedy: "Remove one of the two.",
    },
    "challenge-port": {
      means: "The authority comes to port 443 for `tlsChallenge`, and no entry point listens there.",
      remedy: "Lead port 443 to an entry point: see [Certificates that come by themselves](guides/acme.md).",
    },
    "order-impossible": {
      means: "An authority would not issue a certificate for these names, so none is ordered.",
      remedy: "Name public hosts, in the rule or in `tls.domains`. Wildcards need `dnsChallenge`.",
    },
    "acme-certificate": {
      means: "A certificate in the storage of a resolver is cut off or damaged. It is not served in part.",
      remedy: "Do nothing: a running Sluice keeps the former one, and without one it is ordered anew.",
    },
    "acme-storage": {
      means: "The file with the resolver's certificates cannot be read or written.",
      remedy: "Mend its path and rights: mode 600, in a directory that Sluice's user may write.",
    },
  },
});

type Groups = typeof CODES;

/** What a diagnostic is, for alerts and scripts: the same whatever its words are. */
export type Code = { [G in keyof Groups]: keyof Groups[G] & string }[keyof Groups];
