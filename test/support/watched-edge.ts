// A Sluice in front of brokers whose health is looked at.

import { Authority } from "./certs.ts";
import type { Sluice } from "./sluice.ts";
import { waitFor } from "./tools.ts";

export const authority = await Authority.create();
export const pair = await authority.issue({ names: ["localhost"] });
export const certificates = `tls: { certificates: [{ certFile: ${pair.cert}, keyFile: ${pair.key} }] }`;

export const address = (port: number) => `127.0.0.1:${port}`;
export const configuration = (services: string, more = "") => `
tcp:
  routers: { mqtt: { rule: "HostSNI(\`localhost\`)", service: brokers, tls: {} } }
  services:
    brokers:
${services}
${more}
${certificates}`;
export const balanced = (servers: readonly number[], fields: string) =>
  `      loadBalancer: { ${fields}, servers: [${servers.map((port) => `{ port: ${port} }`).join(", ")}] }`;

export const up = (sluice: Sluice, port: number) => sluice.metric("sluice_server_up", { server: address(port) });
export const isUp = (sluice: Sluice, port: number, wanted: 0 | 1) =>
  waitFor(`${port} to be ${wanted === 1 ? "up" : "down"}`, async () => (await up(sluice, port)) === wanted);
export const about = (sluice: Sluice, msg: string, port: number) =>
  sluice.lines.filter((line) => line.msg === msg && line.server === address(port));

export const said = (sluice: Sluice, msg: string, port: number) =>
  waitFor(`"${msg}" of ${port}`, () => about(sluice, msg, port)[0]);
