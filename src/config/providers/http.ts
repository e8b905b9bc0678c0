// providers.http

import { LATER, unsupported } from "../field.ts";

export const http = unsupported("warn", LATER);
