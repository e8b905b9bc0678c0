// What would become of a client, as `sluice explain` says it, by the configuration in force.

import { z } from "zod";
import { ownCertificates } from "../../certs/pem.ts";
import { Diagnostics } from "../../config/diagnostics.ts";
import type { Explainer } from "../../explain/explainer.ts";
import type { Endpoint } from "../endpoint.ts";
import { ApiError } from "../failure.ts";
import type { ApiSources, InForce } from "../sources.ts";

const text = z.string();

const body = z.strictObject({
  entryPoint: text.optional().meta({ description: "Without it, all of them." }),
  sni: text.optional(),
  alpn: z.array(text).max(20).optional(),
  from: text.optional().meta({ description: "The client's address." }),
  to: text.optional().meta({ description: "The address that it dials." }),
  plain: z.boolean().optional().meta({ description: "It speaks no TLS." }),
  clientId: text.optional(),
  username: z
    .union([text, z.literal(false)])
    .optional()
    .meta({ description: "false: it sends none." }),
  mqttVersion: text.optional(),
  certificate: text.max(50_000).optional().meta({ description: "What it shows, in PEM." }),
});

export function explainEndpoint({ config, inForce }: ApiSources): Endpoint {
  /** Of the configuration that was asked about last: with many routers the tables of one take a second to make. */
  let known: { readonly of: InForce; readonly explainer: Explainer } | null = null;
  return {
    method: "POST",
    path: "/api/sluice/explain",
    role: "viewer",
    isSafe: true,
    summary: "Which router, certificate and servers a client would get, and why no other router. It changes nothing.",
    body,
    answer: z.object({ served: z.boolean(), explanations: z.array(z.record(text, z.unknown())), text: z.array(text) }),
    handle: async (call) => {
      const { certificate, entryPoint, ...options } = call.body as z.output<typeof body>;
      // Loaded with the first question: it brings the whole way of a connection with it.
      const [{ Explainer: Made }, { readClient }, { textOf }] = await Promise.all([
        import("../../explain/explainer.ts"),
        import("../../explain/client.ts"),
        import("../../explain/text.ts"),
      ]);
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
      const client = readClient(
        { ...given, ...(certificate !== undefined && { cert: "the certificate" }) },
        chainOf(certificate),
      );
      if (typeof client === "string") throw new ApiError(400, client.replace(/^--/, ""));
      const now = inForce();
      const { merged, compiled, diagnostics } = now;
      if (merged === null) throw new ApiError(409, "no configuration is in force");
      const points = [...config.entryPoints.values()].filter(
        (point) => !point.admin && (entryPoint === undefined || point.name === entryPoint),
      );
      if (points.length === 0) throw new ApiError(404, `entry point not found: ${entryPoint}`);
      if (known?.of !== now) known = { of: now, explainer: new Made(compiled, merged, saidAgain(diagnostics)) };
      const { explainer } = known;
      const byPoint = points.map((point) => explainer.explain(point, client));
      return {
        served: byPoint.some((cases) => cases.every(({ verdict }) => verdict.served)),
        explanations: byPoint.flat(),
        text: byPoint.flat().flatMap(textOf),
      };
    },
  };
}

function saidAgain(list: InForce["diagnostics"]): Diagnostics {
  const said = new Diagnostics();
  for (const { severity, code, message, about, because, ...place } of list) {
    if (severity === "error") said.error(code, place, message, about, because);
    else said.warn(code, place, message, about);
  }
  return said;
}

function chainOf(certificate: string | undefined): readonly Buffer[] {
  if (certificate === undefined) return [];
  try {
    return ownCertificates(certificate).map(({ raw }) => raw);
  } catch {
    throw new ApiError(400, "certificate: cannot be read as PEM");
  }
}
