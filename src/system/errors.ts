// Errors of the system, said in words.

/** A system error in words. */
export function describeError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "ENOTDIR":
      return "not a directory";
    case "EACCES":
      return "permission denied";
    case "ELOOP":
      return "too many symbolic links";
    case "ENOSPC":
      return "no space left on the device";
    case "EDQUOT":
      return "the disk quota is used up";
    case "EROFS":
      return "the file system is read-only";
    case "EPIPE":
    case "ENXIO":
      return "nobody reads it";
    case "EADDRINUSE":
      return "the address is already in use";
    default:
      return code ?? message;
  }
}
