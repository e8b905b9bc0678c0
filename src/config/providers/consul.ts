// providers.consul

import { LATER, unsupported } from "../field.ts";

export const consul = unsupported("warn", LATER);
