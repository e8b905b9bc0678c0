// providers.zooKeeper

import { LATER, unsupported } from "../field.ts";

export const zooKeeper = unsupported("warn", LATER);
