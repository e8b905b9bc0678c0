// Why there is no TLS server to look at, in words.

import type { Asked } from "../net/exchange.ts";
import type { Finding } from "./report.ts";
import type { Target, Unreached } from "./survey.ts";

export function unreachedProblem(unreached: Unreached, { host, port }: Target): Finding {
  switch (unreached.kind) {
    case "no-name":
      return unreached.addresses === "unknown"
        ? {
            code: "name-unknown",
            message: `there is no host ${host}`,
            remedy: "Check its spelling; getent hosts NAME asks the same as this command.",
          }
        : {
            code: "no-dns",
            message: `nobody answers what the address of ${host} is`,
            remedy: "Check that the name server of this machine can be reached, or give the address and --sni NAME.",
          };
    case "no-connection":
      return noConnection(unreached.tries, port);
    case "plain-mqtt":
      return {
        code: "plain-mqtt",
        message: `port ${port} speaks MQTT without TLS`,
        remedy: "TLS is usually on port 8883; or let the server speak TLS here.",
      };
    case "not-tls":
      return notTls(unreached.asked, unreached.first, port);
  }
}

function noConnection(tries: Extract<Unreached, { kind: "no-connection" }>["tries"], port: number): Finding {
  const addresses = (wanted: Asked) => tries.filter(({ asked }) => asked === wanted).map(({ address }) => address);
  const each = tries.map(({ address, asked }) => `${address}: ${inWords(asked)}`).join("; ");
  if (addresses("refused").length > 0)
    return {
      code: "refused",
      message: `nothing listens on port ${port} (${each})`,
      remedy: "Check the port, and that the server runs and listens on this address.",
    };
  if (addresses("no-answer").length > 0)
    return {
      code: "no-answer",
      message: `nobody answers on port ${port} (${each})`,
      remedy: "A firewall may drop it, or the host may be down.",
    };
  return {
    code: "unreachable",
    message: `there is no way to the server (${each})`,
    remedy: "Check the network of this machine; for an IPv6 address, that it has IPv6.",
  };
}

function inWords(asked: Asked): string {
  if (typeof asked === "object") return asked.other;
  return asked === "no-answer" ? "no answer" : asked;
}

function notTls(asked: Asked, first: Buffer, port: number): Finding {
  if (first.length > 0) {
    const text = first.toString("latin1");
    const what = text.startsWith("HTTP/")
      ? "HTTP without TLS"
      : `something that is no TLS: it begins with ${JSON.stringify(text.slice(0, 24))}`;
    return {
      code: "not-tls",
      message: `port ${port} speaks ${what}`,
      remedy: "Check the port: MQTT with TLS is usually on 8883.",
    };
  }
  if (asked === "silent")
    return {
      code: "silent",
      message: `the connection opens, and the server on port ${port} says nothing`,
      remedy:
        "It may speak another protocol and wait for its client, or hang; or something between holds the connection.",
    };
  return {
    code: "closes",
    message: `the server on port ${port} closes the connection at the first bytes of TLS, without a word`,
    remedy:
      "It may speak another protocol, refuse this address, or wait for a PROXY header, as a server behind a balancer does. Its log says which.",
  };
}
