// The address of a Unix socket: unix:///run/mosquitto.sock.

/** sockaddr_un has 108 bytes for it, and the last one is 0 (unix(7)). */
const MAX_PATH = 107;

export type UnixSocket =
  | { readonly kind: "ok"; readonly path: string }
  | { readonly kind: "error"; readonly message: string };

/** The path is absolute and fits the system; null: it is an address of another kind. */
export function parseUnixSocket(text: string): UnixSocket | null {
  if (!/^unix:/i.test(text)) return null;
  const error = (message: string): UnixSocket => ({ kind: "error", message });
  const path = /^unix:\/\/(\/[\s\S]+)$/i.exec(text)?.[1];
  if (path === undefined)
    return error(
      `${JSON.stringify(text)} is not the absolute path of a Unix socket: three slashes are before it, as in unix:///run/mosquitto.sock`,
    );
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH)
    return error(`the path of the Unix socket has ${bytes} bytes, and the system takes ${MAX_PATH} (sun_path)`);
  if (/\p{Cc}/u.test(path)) return error("the path of the Unix socket has a control character in it");
  if (path.endsWith("/")) return error(`"${text}" is a directory, and not a Unix socket`);
  return { kind: "ok", path };
}
