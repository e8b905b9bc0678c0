// providers.redis

import { LATER, unsupported } from "../field.ts";

export const redis = unsupported("warn", LATER);
