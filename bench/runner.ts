// Runs one row: all peers up, each warmed up, then repetition after repetition with the peers in turn, so that a
// machine that slows down meanwhile slows all of them.
import type { Bench } from "./harness.ts";
import type { Peer, Running } from "./peers/peer.ts";
import type { Row, Sample, Subject, Variant } from "./rows/row.ts";
import { type Figure, figure } from "./stats.ts";

/** One peer's figures in a row. */
export interface ColumnResult {
  figures: Record<string, Figure>;
  /** By metric: the median over repetitions of (this peer / HAProxy in the same repetition). */
  ratios: Record<string, Figure>;
  /** In growth rows, by metric: the same against this peer's smallest variant. */
  growth: Record<string, Figure>;
  flags: Record<string, number>;
  facts: Record<string, string>;
  /** Why there are no figures: a lost or wrong byte, a refused connection, a program that ended. */
  failure: string | null;
}

/** A row of the stored results. */
export interface RowResult {
  title: string;
  metrics: Row["metrics"];
  seconds: number;
  columns: Record<string, ColumnResult>;
}

/** The peer whose figures the ratios are to. */
export const REFERENCE = "haproxy";

interface Column {
  name: string;
  peer: Peer;
  variant: Variant | undefined;
  subject: Subject | null;
  samples: Sample[];
  failure: string | null;
}

/** Measures a row for all the peers that can do it; a peer that fails is reported and the others go on. */
export async function runRow(bench: Bench, row: Row, peers: readonly Peer[], reps: number): Promise<RowResult> {
  const began = performance.now();
  const able = peers.filter((peer) => peer.modes.includes(row.mode) && (row.can?.(peer) ?? true));
  const variants = row.variants?.(bench) ?? [undefined];
  const columns = variants.flatMap((variant) =>
    able.map((peer): Column => {
      const name = variant ? `${peer.name} ${variant.label}` : peer.name;
      return { name, peer, variant, subject: null, samples: [], failure: null };
    }),
  );
  if (!row.fresh) for (const column of columns) await guarded(column, () => start(bench, row, column));
  for (let rep = 0; rep < reps; rep++) {
    for (const column of columns) await guarded(column, () => repetition(bench, row, column));
    process.stderr.write(".");
  }
  for (const column of columns) await column.subject?.running.stop();
  return { title: row.title, metrics: row.metrics, seconds: (performance.now() - began) / 1000, columns: sum(columns) };
}

async function start(bench: Bench, row: Row, column: Column): Promise<void> {
  const more = { ...(await row.options?.(bench)), ...(await column.variant?.options(bench)) };
  const running: Running = await bench.start(column.peer, row.mode, row.key, more);
  column.subject = { bench, peer: column.peer, running, mode: row.mode };
  await row.warmUp(column.subject);
}

async function repetition(bench: Bench, row: Row, column: Column): Promise<void> {
  if (row.fresh) await start(bench, row, column);
  column.samples.push(await row.measure(column.subject!, column.variant));
  if (row.fresh) {
    await column.subject!.running.stop();
    column.subject = null;
  }
}

async function guarded(column: Column, work: () => Promise<void>): Promise<void> {
  if (column.failure !== null) return;
  try {
    await work();
  } catch (error) {
    column.failure = (error as Error).message;
    process.stderr.write(`\n${column.name}: ${column.failure}\n`);
    await column.subject?.running.stop();
    column.subject = null;
  }
}

function sum(columns: readonly Column[]): Record<string, ColumnResult> {
  const out: Record<string, ColumnResult> = {};
  for (const column of columns) {
    const name = column.variant ? `${REFERENCE} ${column.variant.label}` : REFERENCE;
    const reference = columns.find((other) => other.name === name && other.failure === null);
    const smallest = columns.find((other) => other.peer === column.peer && other.failure === null);
    const result: ColumnResult = { figures: {}, ratios: {}, growth: {}, flags: {}, facts: {}, failure: column.failure };
    out[column.name] = result;
    if (column.failure !== null) continue;
    for (const metric of Object.keys(column.samples[0]!.figures)) {
      const values = column.samples.map((sample) => sample.figures[metric]!);
      result.figures[metric] = figure(values);
      const ratio = versus(values, reference, metric);
      if (ratio) result.ratios[metric] = ratio;
      const growth = column.variant && smallest !== column ? versus(values, smallest, metric) : null;
      if (growth) result.growth[metric] = growth;
    }
    for (const flag of column.samples.flatMap((sample) => sample.flags)) {
      result.flags[flag] = (result.flags[flag] ?? 0) + 1;
    }
    Object.assign(result.facts, column.samples.at(-1)?.facts);
  }
  return out;
}

/** Paired by repetition: both saw the same machine. Null where there is nothing to divide by. */
function versus(values: readonly number[], reference: Column | undefined, metric: string): Figure | null {
  const to = reference?.samples.map((sample) => sample.figures[metric] ?? 0);
  return to?.every((value) => value > 0) ? figure(values.map((value, i) => value / to[i]!)) : null;
}
