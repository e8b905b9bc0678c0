// What becomes of connections that are open when their server is drained, or when a reload removes their server or router.

export type LivePolicy =
  /** They end when one of their sides ends them. */
  | { readonly kind: "keep" }
  | { readonly kind: "close" }
  /** So many are closed a second, over all workers. */
  | { readonly kind: "spread"; readonly perSecond: number };

/** Of two policies for the same connection the sooner one counts. */
export function sooner(a: LivePolicy, b: LivePolicy): LivePolicy {
  return paceOf(b) > paceOf(a) ? b : a;
}

function paceOf(policy: LivePolicy): number {
  if (policy.kind === "spread") return policy.perSecond;
  return policy.kind === "close" ? Number.POSITIVE_INFINITY : 0;
}
