// The textbook answer: node:tls in front, node:net behind, pipe() both ways. Run with node, not with Bun.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { createServer } from "node:tls";

const { PORT, BACKEND, KEY, CERT, CIPHERS } = process.env;
const options = {
  key: readFileSync(KEY),
  cert: readFileSync(CERT),
  ciphers: CIPHERS,
  minVersion: "TLSv1.2",
  noDelay: true,
};
const server = createServer(options, (client) => {
  const broker = connect({ port: Number(BACKEND), host: "127.0.0.1", noDelay: true });
  client.on("error", () => broker.destroy());
  broker.on("error", () => client.destroy());
  client.pipe(broker).pipe(client);
});
server.on("tlsClientError", () => {});
server.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 4096 });
