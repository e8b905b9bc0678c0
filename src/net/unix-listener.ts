// Whether somebody listens on a Unix socket, or a process that is gone has left it behind.

import { connect } from "node:net";

/** Never rejects. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    const end = (is: boolean) => {
      socket.destroy();
      done(is);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
