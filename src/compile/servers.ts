// One server of a load balancer: an address, a Unix socket, or names of which DNS says what servers they are.

import { isIP } from "node:net";
import { formatHostPort, parseHostPort, parsePort } from "../config/scalars.ts";
import type { ServiceConfig } from "../config/service.ts";
import { parseUnixSocket, type UnixSocket } from "../config/unix-socket.ts";
import type { Server, Transport } from "../upstream/service.ts";

/** Where a server without an address is: beside Sluice, as a sidecar has it. */
const SIDECAR_HOST = "127.0.0.1";

/** URLs of brokers that speak TLS. */
const TLS_SCHEME = /^(mqtts|ssl|tls|wss|https):\/\//i;

/** Labels of letters, digits, - and _, as in _mqtt._tcp.example.com; a name has 253 characters at most (RFC 1035, 2.3.4). */
const SRV_NAME = /^[\w-]{1,63}(\.[\w-]{1,63})+\.?$/;
const MAX_NAME = 253;
/** What an SRV name begins with: the service and the protocol (RFC 2782). */
const SRV_LABELS = /^(_[\w-]+\.)*/;

export type CompiledServer =
  | { readonly kind: "error"; readonly message: string }
  /** `remark`: what has no effect; null: everything has. */
  | { readonly kind: "ok"; readonly server: Server; readonly remark: string | null };

type ServerConfig = NonNullable<ServiceConfig["loadBalancer"]>["servers"][number];

export function compileServer(config: ServerConfig, transport: Transport): CompiledServer {
  if (config.srv !== undefined) return compileSrv(config, config.srv);
  const unix = config.address === undefined ? null : parseUnixSocket(config.address);
  if (unix !== null) return compileUnix(config, unix, transport);
  const located = locate(config);
  if (typeof located === "string") return error(located);
  const { host, port } = located;
  const server: Server = { address: formatHostPort(host, port), host, port, tls: config.tls };
  if (config.resolve === undefined) return ok(server);
  if (isIP(host) !== 0) return ok(server, `resolve has no effect, because ${host} is an address and not a name`);
  return ok({ ...server, discover: { kind: "addresses", families: config.resolve } });
}

const error = (message: string): CompiledServer => ({ kind: "error", message });
const ok = (server: Server, remark: string | null = null): CompiledServer => ({ kind: "ok", server, remark });

function locate(config: ServerConfig): { readonly host: string; readonly port: number } | string {
  if (config.address === undefined)
    return config.port === undefined
      ? "it has neither address nor port, nor srv"
      : { host: SIDECAR_HOST, port: parsePort(config.port)! };
  const given =
    /:[\w-]+(\/tcp)?$/.test(config.address) || config.port === undefined
      ? config.address
      : `${config.address}:${config.port}`;
  const parsed = parseHostPort(given);
  if (parsed.kind === "error")
    return TLS_SCHEME.test(given) ? `${parsed.message}, and  tls: true  beside it` : parsed.message;
  if (parsed.port === 0) return `"${given}": a server needs a port from 1 to 65535`;
  return { host: parsed.host === "" ? SIDECAR_HOST : parsed.host, port: parsed.port };
}

function compileUnix(config: ServerConfig, unix: UnixSocket, { tls }: Transport): CompiledServer {
  if (unix.kind === "error") return unix;
  const { path } = unix;
  if (config.port !== undefined) return error(`"${config.address}" is a Unix socket, which has no port`);
  if (config.tls && tls.serverName === null && !tls.insecureSkipVerify)
    return error(
      "a Unix socket has no name by which a certificate could be checked: set tls.serverName in its serversTransport, or leave out  tls: true",
    );
  return ok(
    { address: `unix://${path}`, host: path, port: 0, tls: config.tls },
    config.resolve === undefined ? null : "resolve has no effect, because a Unix socket has no name",
  );
}

function compileSrv(config: ServerConfig, srv: string): CompiledServer {
  if (config.address !== undefined || config.port !== undefined)
    return error(
      `srv stands in place of ${config.address !== undefined ? "address" : "port"}: the records say host and port`,
    );
  if (!SRV_NAME.test(srv) || srv.length > MAX_NAME || isIP(srv) !== 0)
    return error(`"${srv}" is not the name of SRV records, such as _mqtt._tcp.example.com`);
  const host = srv.replace(/\.$/, "").toLowerCase();
  // DNS alone says which hosts these are, so a certificate is for the domain that was asked (RFC 6125, 6.2.1).
  const name = host.replace(SRV_LABELS, "");
  const server: Server = {
    ...{
      address: `srv:${host}`,
      host,
      port: 0,
      tls: config.tls,
      ...(config.tls && { name: name === "" ? host : name }),
    },
    discover: { kind: "srv", families: config.resolve ?? null },
  };
  // 0 is never used, whatever the records say.
  const isIgnored = config.weight !== undefined && config.weight > 1;
  return ok(
    server,
    isIgnored ? "weight has no effect beside srv, because the records have weights of their own" : null,
  );
}
