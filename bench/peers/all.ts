// The list of peers, in the order of the table.
import { haproxy, haproxyNew } from "./haproxy.ts";
import { hitch } from "./hitch.ts";
import { nginx } from "./nginx.ts";
import { nodePipe } from "./node-pipe.ts";
import type { Peer } from "./peer.ts";
import { sluice, sluiceAll, sluiceBase } from "./sluice.ts";
import { stunnel } from "./stunnel.ts";
import { tcpRelay } from "./tcp-relay.ts";

/** Everything that can be named with --peers. */
export const peers: readonly Peer[] = [
  haproxy,
  ...(haproxyNew ? [haproxyNew] : []),
  sluice,
  ...(sluiceBase ? [sluiceBase] : []),
  sluiceAll,
  nginx,
  stunnel,
  hitch,
  nodePipe,
  tcpRelay,
];
