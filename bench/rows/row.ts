// What a row of the table is.
import type { KeyKind } from "../certs.ts";
import type { Bench } from "../harness.ts";
import type { Mode, Peer, PeerOptions, Running } from "../peers/peer.ts";

/** One figure of a row; the primary one is what ratios are quoted by. */
export interface Metric {
  unit: string;
  better: "lower" | "higher";
  primary?: boolean;
}

/** One peer in one row. */
export interface Subject {
  bench: Bench;
  peer: Peer;
  running: Running;
  mode: Mode;
}

/** What one repetition gave: figures by metric name, and remarks that make them doubtful. */
export interface Sample {
  figures: Record<string, number>;
  flags: string[];
  /** Facts for the report, such as what was negotiated; the last repetition's are kept. */
  facts?: Record<string, string>;
}

/** A row. The runner starts the peers, warms each up, and takes the repetitions in turn. */
export interface Row {
  id: string;
  title: string;
  mode: Mode;
  key: KeyKind;
  metrics: Record<string, Metric>;
  /** True when a repetition needs a process that has not served before: memory that was once used stays resident. */
  fresh: boolean;
  /** Left out of --quick. */
  slow?: boolean;
  /** Which peers can do it at all, beyond their modes. */
  can?: (peer: Peer) => boolean;
  /** The peers it is measured for when --peers does not say; all that can when absent. */
  usually?: readonly string[];
  /** What all peers are started with. */
  options?: (bench: Bench) => Promise<Partial<PeerOptions>>;
  /** One column per variant (growth rows): "sluice 100000". */
  variants?: (bench: Bench) => readonly Variant[];
  warmUp(subject: Subject): Promise<void>;
  measure(subject: Subject, variant?: Variant): Promise<Sample>;
}

/** A size in a growth row. */
export interface Variant {
  label: string;
  size: number;
  options: (bench: Bench) => Promise<Partial<PeerOptions>>;
}
