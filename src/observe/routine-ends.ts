// Ends of connections that are nobody's refusal. It imports nothing: the dashboard's page, which runs in a browser, has it too.

export const ROUTINE_ENDS = [
  "client-closed",
  "server-closed",
  "client-reset",
  "server-reset",
  "termination-timeout",
  "keep-alive-timeout",
  "drained",
  "removed",
  "taken-over",
  "closed-by-hand",
  "shutdown",
  "client-gone",
  "acme-challenge",
] as const;
