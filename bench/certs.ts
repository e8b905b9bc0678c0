// The certificates of a run: a P-256 authority and leaves for the bench names, made with openssl in the run's own
// directory. All peers serve the same files.
import { join } from "node:path";

/** Which key the leaf has. */
export type KeyKind = "p256" | "rsa";

/** Paths of one leaf. `bundle` is key and certificate in one file, as HAProxy and hitch want it. */
export interface Leaf {
  key: string;
  cert: string;
  bundle: string;
}

/** The authority that the generator trusts and one leaf per kind of key. */
export interface Certs {
  ca: string;
  leaf: Record<KeyKind, Leaf>;
}

/** Names on every leaf; the first is what the generator sends as SNI. */
export const NAMES = ["localhost", "*.bench.test"];

/** Makes authority and leaves in `dir`; takes about 0.3 s. */
export async function makeCerts(dir: string): Promise<Certs> {
  const ca = join(dir, "ca.pem");
  const caKey = join(dir, "ca.key");
  await openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", caKey]);
  await openssl(["req", "-x509", "-new", "-key", caKey, "-subj", "/CN=bench authority", "-days", "2", "-out", ca]);
  const leaf = async (kind: KeyKind): Promise<Leaf> => {
    const paths = { key: join(dir, `${kind}.key`), cert: join(dir, `${kind}.pem`), bundle: join(dir, `${kind}.both`) };
    if (kind === "rsa") await openssl(["genrsa", "-out", paths.key, "2048"]);
    else await openssl(["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", paths.key]);
    const request = join(dir, `${kind}.csr`);
    const extensions = join(dir, `${kind}.ext`);
    await Bun.write(extensions, `subjectAltName=${NAMES.map((name) => `DNS:${name}`).join(",")}\n`);
    await openssl(["req", "-new", "-key", paths.key, "-subj", "/CN=localhost", "-out", request]);
    const sign = ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", caKey, "-CAcreateserial"];
    await openssl([...sign, "-days", "2", "-extfile", extensions, "-out", paths.cert]);
    await Bun.write(paths.bundle, (await Bun.file(paths.key).text()) + (await Bun.file(paths.cert).text()));
    return paths;
  };
  return { ca, leaf: { p256: await leaf("p256"), rsa: await leaf("rsa") } };
}

async function openssl(args: string[]): Promise<void> {
  const child = Bun.spawn(["openssl", ...args], { stdout: "ignore", stderr: "pipe" });
  if ((await child.exited) !== 0) throw new Error(`openssl ${args[0]}: ${await new Response(child.stderr).text()}`);
}
