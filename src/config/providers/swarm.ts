// providers.swarm

import { LATER, unsupported } from "../field.ts";

export const swarm = unsupported("warn", LATER);
