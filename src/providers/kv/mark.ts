// The key that tells readers that an import of several transactions is under way. Traefik does not look at it.

/** Below the root key. Its value is when the import began. */
export const IMPORT_MARK = "import";
