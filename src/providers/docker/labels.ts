// The labels of a container or a service that are for Sluice: traefik.*, as Traefik has them, and the same under sluice.*, which win.

import { FALSE_WORDS, parseBool, TRUE_WORDS } from "../../config/scalars.ts";
import { didYouMean, suggestion } from "../../text/spelling.ts";

/** One value of the dynamic configuration, as a label gives it. */
export interface LabelValue {
  /** `["tcp", "routers", "mqtt", "tls", "domains[0]", "main"]`, as written. */
  readonly steps: readonly string[];
  /** The same in lower case, but for the name that the user has chosen. */
  readonly key: readonly string[];
  readonly value: string;
  /** The label's whole name. */
  readonly label: string;
}

export interface LabelProblem {
  readonly severity: "error" | "warning";
  readonly code: "label-unknown" | "label-value" | "label-twice";
  readonly label: string;
  readonly message: string;
}

export interface Labels {
  /** null: no label says so. */
  readonly enable: boolean | null;
  readonly network: string | null;
  /** Keep what it stands for although it does not run. */
  readonly allowNonRunning: boolean;
  /** A swarm service is reached by its virtual address, not task by task. */
  readonly virtualAddress: boolean;
  readonly values: readonly LabelValue[];
  readonly problems: readonly LabelProblem[];
  /** Somebody meant to switch it on or off, and it is not known which: it keeps its names and serves nobody. */
  readonly isDoubtful: boolean;
}

const PREFIXES = ["sluice", "traefik"] as const;
/** What can stand behind the prefix; HTTP and UDP are for Traefik alone. */
const ROOTS = ["enable", "docker", "swarm", "tcp", "tls", "http", "udp"];
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  docker: ["network", "allownonrunning"],
  swarm: ["network", "lbswarm"],
};
/** Below these a name stands that the user has chosen; everything else is without case. */
const NAMED = /^(?:tcp\/(?:routers|services|middlewares|serverstransports)|tls\/(?:options|stores))$/;
/** More labels than this on one container are somebody's mistake. */
const MAX_LABELS = 5000;

/** Whether any label can be for Sluice, so that the container is worth looking at. */
export function isForSluice(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).some((label) => /^(?:sluice|traefik)\./i.test(label));
}

export function readLabels(labels: Readonly<Record<string, string>>, of: "docker" | "swarm"): Labels {
  const reader = new Reader(of);
  const names = Object.keys(labels).filter((label) => /^(?:sluice|traefik)\./i.test(label));
  if (names.length > MAX_LABELS) {
    reader.say("error", "label-value", names[MAX_LABELS]!, `more than ${MAX_LABELS} labels are for Sluice`);
    names.length = MAX_LABELS;
  }
  for (const prefix of PREFIXES)
    for (const label of names.sort())
      if (label.toLowerCase().startsWith(`${prefix}.`)) reader.read(label, prefix, labels[label]!);
  return reader.labels();
}

class Reader {
  readonly #of: "docker" | "swarm";
  readonly #settings = new Map<string, { readonly value: string; readonly label: string }>();
  readonly #values = new Map<string, LabelValue>();
  readonly #problems: LabelProblem[] = [];
  #isDoubtful = false;

  constructor(of: "docker" | "swarm") {
    this.#of = of;
  }

  say(severity: LabelProblem["severity"], code: LabelProblem["code"], label: string, message: string): void {
    this.#problems.push({ severity, code, label, message });
  }

  read(label: string, prefix: (typeof PREFIXES)[number], value: string): void {
    const [, root = "", ...rest] = label.split(".");
    const kind = root.toLowerCase().replace(/\[.*$/, "");
    switch (kind) {
      case "enable":
        return rest.length === 0 ? this.#setting("enable", label, value) : this.#unknown(label, root);
      case "docker":
      case "swarm": {
        const field = rest.join(".").toLowerCase();
        const known = SETTINGS[kind]!;
        if (known.includes(field)) return this.#setting(`${kind}.${field}`, label, value);
        const meant = suggestion(rest.join("."), known);
        return this.say("error", "label-unknown", label, `is unknown${meant}: there are ${listed(kind, known)}`);
      }
      case "http":
      case "udp":
        if (prefix === "sluice")
          this.say("warning", "label-unknown", label, "is not used: Sluice carries TCP alone, by sluice.tcp labels");
        return;
      case "tcp":
      case "tls":
        return this.#value([kind, ...rest], label, value);
      default: {
        // Traefik's constraints may ask for labels of any name below its prefix.
        if (prefix === "sluice" || didYouMean(root, ROOTS) !== null) this.#unknown(label, root);
      }
    }
  }

  labels(): Labels {
    const enable = this.#switch("enable");
    if (this.#settings.has("enable") && enable === null) this.#isDoubtful = true;
    return {
      enable,
      network: this.#network(),
      allowNonRunning: this.#switch("docker.allownonrunning") ?? false,
      virtualAddress: this.#switch("swarm.lbswarm") ?? false,
      values: [...this.#values.values()],
      problems: this.#problems,
      isDoubtful: this.#isDoubtful,
    };
  }

  #unknown(label: string, root: string): void {
    const there = "there are enable, docker, swarm, tcp and tls";
    if (root.toLowerCase() === "enable" || didYouMean(root, ROOTS) === "enable") this.#isDoubtful = true;
    this.say("error", "label-unknown", label, `is unknown${suggestion(root, ROOTS)}: ${there}`);
  }

  #setting(key: string, label: string, value: string): void {
    const former = this.#settings.get(key);
    if (former === undefined) this.#settings.set(key, { value, label });
    else if (former.value !== value) this.#second(label, former.label);
  }

  #value(written: readonly string[], label: string, value: string): void {
    if (written.some((step) => step === "" || step.includes("/") || step === "__proto__"))
      return this.say("error", "label-value", label, "has an empty part, or a slash, in its name");
    const isNamed = NAMED.test(written.slice(0, 2).join("/").toLowerCase());
    if (isNamed && written.length < 4)
      return this.say("error", "label-value", label, "names no field: write as traefik.tcp.routers.NAME.rule");
    const key = written.map((step, index) => (isNamed && index === 2 ? step : step.toLowerCase()));
    const former = this.#values.get(key.join("/"));
    if (former === undefined) this.#values.set(key.join("/"), { steps: written, key, value, label });
    else if (former.value !== value) this.#second(label, former.label);
  }

  #second(label: string, former: string): void {
    this.say("warning", "label-twice", label, `is not used: ${former} says the same thing, and goes first`);
  }

  #network(): string | null {
    const [own, other] =
      this.#of === "docker" ? ["docker.network", "swarm.network"] : ["swarm.network", "docker.network"];
    const mine = this.#settings.get(own!);
    if (mine !== undefined) return mine.value || null;
    const theirs = this.#settings.get(other!);
    return this.#of === "docker" ? null : theirs?.value || null;
  }

  #switch(key: string): boolean | null {
    const setting = this.#settings.get(key);
    if (setting === undefined) return null;
    const { value, label } = setting;
    const text = value.trim().toLowerCase();
    const known = parseBool(value.trim());
    if (known !== null) return known;
    const meant = ["yes", "on"].includes(text) ? true : ["no", "off"].includes(text) ? false : null;
    if (meant === null)
      this.say(
        "error",
        "label-value",
        label,
        `must be true or false${suggestion(text, [...TRUE_WORDS, ...FALSE_WORDS])}`,
      );
    else
      this.say(
        "warning",
        "label-value",
        label,
        `is taken for ${meant}: write ${meant}, as Traefik knows no other word`,
      );
    return meant;
  }
}

function listed(kind: string, fields: readonly string[]): string {
  return fields.map((field) => `${kind}.${field}`).join(" and ");
}
