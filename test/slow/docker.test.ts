// The provider docker with a real Docker daemon.

import { Dockerd } from "../support/container-daemon.ts";
import { containerStore } from "../support/container-store.ts";
import { providerSuite } from "../support/provider-suite.ts";

const daemon = await Dockerd.start();

providerSuite("containers of Docker", () => containerStore(daemon));
