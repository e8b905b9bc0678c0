// Where a Docker daemon is: unix:///var/run/docker.sock, tcp://10.0.0.1:2375.

import { parseHostPort } from "../scalars.ts";

export type DockerEndpoint =
  | { readonly kind: "unix"; readonly path: string }
  /** `secure` where the scheme itself says so; `tcp://` is secure where there are TLS settings. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly secure: boolean | null };

export type ParsedEndpoint =
  | { readonly kind: "ok"; readonly endpoint: DockerEndpoint }
  | { readonly kind: "error"; readonly message: string };

/** As Docker has them: 2375 is for plain HTTP, 2376 for TLS. */
const PORTS: Readonly<Record<string, number>> = { tcp: 2375, http: 2375, https: 2376 };

/** Reads an endpoint. A message begins with a verb, and repeats no password. */
export function parseDockerEndpoint(text: string): ParsedEndpoint {
  const error = (message: string): ParsedEndpoint => ({ kind: "error", message });
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/is.exec(text) ?? [];
  if (scheme === undefined || rest === undefined)
    return error(
      text.startsWith("/")
        ? `must have a scheme: write unix://${text}`
        : "must be unix:///path/of/docker.sock or tcp://host:port",
    );
  switch (scheme.toLowerCase()) {
    case "unix":
      if (!rest.startsWith("/"))
        return error("must name an absolute path after unix://, as unix:///var/run/docker.sock");
      return { kind: "ok", endpoint: { kind: "unix", path: rest } };
    case "tcp":
    case "http":
    case "https": {
      const authority = rest.replace(/\/+$/, "");
      if (authority.includes("@")) return error("must not have a user in it: give  username  and  password  beside it");
      if (authority.includes("/")) return error("must be no more than host and port");
      const hasPort = /:\d+$/.test(authority) && !/^[0-9a-f:]+$/i.test(authority);
      const parsed = parseHostPort(hasPort ? authority : `${authority}:${PORTS[scheme.toLowerCase()]}`);
      if (parsed.kind === "error") return error(`is no endpoint: ${parsed.message}`);
      if (parsed.host === "" || parsed.port === 0) return error("must have a host and a port, as tcp://10.0.0.1:2375");
      const secure = scheme.toLowerCase() === "tcp" ? null : scheme.toLowerCase() === "https";
      return { kind: "ok", endpoint: { kind: "tcp", host: parsed.host, port: parsed.port, secure } };
    }
    case "ssh":
      return error(
        "cannot be ssh://, which is not built: forward the socket, as with  ssh -L /run/docker-far.sock:/var/run/docker.sock HOST , and give unix:///run/docker-far.sock",
      );
    case "npipe":
      return error("cannot be npipe://, which is Windows'");
    default:
      return error(`has an unknown scheme "${scheme.slice(0, 20)}": there are unix, tcp, http and https`);
  }
}
