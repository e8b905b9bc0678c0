// What becomes of connections that are open when their server is drained, or when a reload removes their server or router.

export type LivePolicy =
  /** They end when one of their sides ends them. */
  | { readonly kind: "keep" }
  | { readonly kind: "close" }
  /** So many are closed a second, over all workers. */
  | { readonly kind: "spread"; readonly perSecond: number };
