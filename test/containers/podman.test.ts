// The provider docker with Podman's service in the place of the daemon.

import { daemonFor, PodmanService } from "../support/container-daemon.ts";
import { containerStore } from "../support/container-store.ts";
import { providerSuite } from "../support/provider-suite.ts";

const { daemon, withContainers } = await daemonFor(() => PodmanService.start());

withContainers("with Podman's service", () => providerSuite("containers of Podman", () => containerStore(daemon)));
