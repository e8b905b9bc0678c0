// providers.etcd

import { LATER, unsupported } from "../field.ts";

export const etcd = unsupported("warn", LATER);
