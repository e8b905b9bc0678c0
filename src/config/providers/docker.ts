// providers.docker

import { LATER, unsupported } from "../field.ts";

export const docker = unsupported("warn", LATER);
