// What one service of a swarm stands for: its labels, and its running tasks as servers.

import { formatHostPort } from "../../config/scalars.ts";
import { type Chosen, chooseAddress, type Surroundings } from "./address.ts";
import { configure, type Workload } from "./configure.ts";
import type { Container } from "./container.ts";
import { type Choices, type Gift, isMeant, Remarks } from "./give.ts";
import { type Labels, readLabels } from "./labels.ts";
import { attached, type SwarmService, type SwarmState, type SwarmTask } from "./swarm-state.ts";

const NO_PORT = { kind: "none", why: "a swarm does not tell which ports its tasks have" } as const;

export function giftOf(service: SwarmService, state: SwarmState, choices: Omit<Choices, "useBindPortIP">): Gift {
  const labels = readLabels(service.labels, "swarm");
  if (!isMeant(labels, choices, service.labels)) return { given: null, remarks: [] };
  const what = `service ${service.name}`;
  const remarks = new Remarks(what);
  remarks.ofLabels(labels);
  const tasks = state.tasks.filter(({ serviceId, isRunning }) => serviceId === service.id && isRunning);
  if (tasks.length === 0 && !choices.allowEmptyServices) return { given: null, remarks: remarks.list };
  const { parts, problems } = configure(
    {
      what,
      described: { name: service.name, containerName: service.name, labels: service.labels },
      isEnabled: labels.enable === true,
      values: labels.values,
      isServing: tasks.length > 0 && !labels.isDoubtful,
      port: () => NO_PORT,
      addresses: addressesOf(service, tasks, labels, state, labels.network ?? choices.network, remarks),
    },
    choices.defaultRule,
  );
  for (const { severity, code, message, label } of problems) remarks.say(severity, code, message, label);
  return { given: parts.length === 0 ? null : { what, parts }, remarks: remarks.list };
}

function addressesOf(
  service: SwarmService,
  tasks: readonly SwarmTask[],
  { virtualAddress }: Labels,
  { networks, nodes, own }: SwarmState,
  wanted: string | null,
  remarks: Remarks,
): Workload["addresses"] {
  const virtual = [...service.virtual].flatMap(([id, address]) => {
    const network = networks.get(id);
    return network === undefined ? [] : [{ network, address }];
  });
  // With the endpoint mode dnsrr there is none.
  const instances: readonly Instance[] =
    virtualAddress && virtual.length > 0 ? [{ nodeId: "", attachments: virtual }] : tasks;
  return (port) => {
    const hosts = new Set<string>();
    const said = new Set<string>();
    let why = "";
    for (const instance of instances) {
      const around: Surroundings = { networks: own, host: nodes.get(instance.nodeId) ?? "127.0.0.1" };
      const chosen = chooseAddress(asContainer(service, instance), wanted, around, () => null);
      if (chosen.kind === "none") why = chosen.why;
      else {
        hosts.add(chosen.host);
        tell(chosen.remark, said, remarks);
      }
    }
    if (hosts.size === 0)
      return { kind: "none", why: `${why}: attach the service to an overlay network that Sluice is in too` };
    return { kind: "ok", addresses: [...hosts].map((host) => formatHostPort(host, port)) };
  };
}

type Instance = Pick<SwarmTask, "nodeId" | "attachments">;

/** The tasks of a service are mostly alike: the same is said once. */
function tell(remark: Chosen["remark"], said: Set<string>, remarks: Remarks): void {
  if (remark === null || said.has(remark.code)) return;
  said.add(remark.code);
  remarks.say("warning", remark.code, remark.message);
}

function asContainer({ id, name, labels }: SwarmService, { attachments }: Instance): Container {
  return {
    id,
    name,
    labels,
    state: "running",
    health: null,
    created: "",
    networkMode: attachments.some(({ network }) => network === "host") ? "host" : "overlay",
    networks: attached(attachments),
    ports: [],
    bindings: [],
  };
}
