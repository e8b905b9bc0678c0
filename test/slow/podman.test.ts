// The provider docker with Podman's service in the place of the daemon.

import { PodmanService } from "../support/container-daemon.ts";
import { containerStore } from "../support/container-store.ts";
import { providerSuite } from "../support/provider-suite.ts";

const daemon = await PodmanService.start();

providerSuite("containers of Podman", () => containerStore(daemon));
