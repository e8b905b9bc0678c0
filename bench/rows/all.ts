// The list of rows, in the order of the table.

import { ban } from "./ban.ts";
import { bulkDown, bulkUp } from "./bulk.ts";
import { echo16k, echo100, echo16000, passthrough16k, passthrough100 } from "./echo.ts";
import { growthCerts, growthRoutes } from "./growth.ts";
import { deadServer, gate, handshake, handshakeRsa, resumed12, resumed13 } from "./handshake.ts";
import { idle } from "./idle.ts";
import { storms } from "./protection.ts";
import { reload } from "./reload.ts";
import type { Row } from "./row.ts";
import { storm } from "./storm.ts";

/** Everything that can be named with --rows. */
export const rows: readonly Row[] = [
  handshake,
  handshakeRsa,
  resumed12,
  resumed13,
  gate,
  deadServer,
  echo100,
  echo16k,
  echo16000,
  bulkUp,
  bulkDown,
  idle,
  passthrough100,
  passthrough16k,
  storm,
  growthRoutes,
  growthCerts,
  reload,
  ...storms,
  ban,
];
