// The crypto alone: what `openssl speed` says of this machine, to stand below the handshake and echo rows.

/** Algorithm of `openssl speed` by the name it has in the results. */
const ALGORITHMS = {
  "ECDSA P-256": "ecdsap256",
  "RSA-2048": "rsa2048",
  X25519: "ecdhx25519",
  "AES-128-GCM": "-evp aes-128-gcm",
};

/** Runs each for a second, and gives its summary line: operations per second, or kB/s by block size. */
export async function cryptoFloor(): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [name, algorithm] of Object.entries(ALGORITHMS)) {
    const blocks = algorithm.startsWith("-evp") ? ["-bytes", "16384"] : [];
    const command = ["openssl", "speed", "-seconds", "1", ...blocks, ...algorithm.split(" ")];
    const child = Bun.spawn(command, { stdout: "pipe", stderr: "ignore" });
    const lines = (await new Response(child.stdout).text()).trim().split("\n");
    out[name] = lines
      .slice(-2)
      .map((line) => line.trim().replace(/\s+/g, " "))
      .join(" | ");
  }
  return out;
}
