// The dashboard in a real browser, with a running Sluice, a broker and clients behind it: every page in both themes and two widths without a
// complaint of the browser or of axe-core; by keyboard alone; acting; cut off; under a base path; and large.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { openBrowser, openPage, violationsOn } from "../support/browser.ts";
import { Authority } from "../support/certs.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { mqttClient } from "../support/mqtt.ts";
import { Sluice } from "../support/sluice.ts";
import { freePort, waitFor } from "../support/tools.ts";

const authority = await Authority.create();
const pair = await authority.issue({ names: ["localhost"] });
const PAGES = ["now", "clients", "routes", "brokers", "certificates", "refusals", "configuration"] as const;

/** Pixels by which the page is wider than the window. */
const OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
const IS_FOCUSED = new Function("each", "return each === document.activeElement") as (each: unknown) => boolean;

let broker: Mosquitto;
let sluice: Sluice;
let browser: Browser;
const come = async (clientId: string) =>
  (await mqttClient({ port: sluice.port, ca: authority.cert }, { clientId, username: "somebody", reconnectPeriod: 0 }))
    .mqtt;
const url = (page = "") => `http://127.0.0.1:${sluice.adminPort}/dashboard/#/${page}`;

beforeAll(async () => {
  broker = await Mosquitto.start();
  const dead = await freePort();
  sluice = await Sluice.start({
    dynamic: `
tcp:
  routers:
    mqtt: { rule: "HostSNI(\`localhost\`)", service: both, tls: {}, middlewares: [read] }
    wrong: { rule: "HostSNI(\`wrong.test\`)", service: missing, tls: { passthrough: true } }
  services:
    brokers: { loadBalancer: { servers: [ { address: "127.0.0.1:${broker.port}" } ], healthCheck: { interval: 1s } } }
    dead: { loadBalancer: { servers: [ { address: "127.0.0.1:${dead}" } ], healthCheck: { interval: 1s } } }
    both: { weighted: { services: [ { name: brokers, weight: 3 }, { name: dead, weight: 1 } ] } }
  middlewares: { read: { mqttConnect: { clientId: { pattern: "dev.*" } } } }
tls: { certificates: [ { certFile: ${pair.cert}, keyFile: ${pair.key} } ] }
`,
    entryPoint: "    ban: {}",
    extra: "api: { dashboard: true, anonymous: admin }",
  });
  browser = await openBrowser();
  await Promise.all(["dev-1", "dev-2", "dev-3"].map(come));
  // Whatever a client calls itself, it is text.
  await come('dev<img src=x onerror="document.title=1">');
  await come("refused").catch(() => {});
});
afterAll(() => sluice.kill());

describe.each([
  ["light", 1280],
  ["dark", 1280],
  ["light", 360],
] as const)("%s, %i pixels wide", (scheme, width) => {
  test("every page shows what there is, without a complaint of the browser or of axe-core", async () => {
    const { page, complaints } = await openPage(browser, url(), scheme, width);
    const found: string[] = [];
    for (const name of PAGES) {
      await page.goto(url(name));
      await page.waitForSelector(name === "routes" ? ".route" : name === "configuration" ? ".loads li" : "table");
      await waitFor("all of it", async () => !(await page.textContent("main"))!.includes("Loading"));
      found.push(...(await violationsOn(page)).map((each) => `${name}: ${each}`));
      // Nothing is cut off at the side: wide tables scroll within themselves.
      if ((await page.evaluate(OVERFLOW)) !== 0) found.push(`${name}: it is wider than the window`);
    }
    expect([...found, ...complaints]).toEqual([]);
    await page.context().close();
  });
});

test("a client is found as one types, shown in detail and closed after a question, by keyboard alone", async () => {
  const client = await come("dev-to-close");
  const closed = new Promise<void>((done) => client.once("close", () => done()));
  const { page, complaints } = await openPage(browser, url("clients"));
  await page.waitForSelector("tbody tr");
  expect(await page.title()).toBe("Clients - Sluice");
  expect(await page.textContent("tbody")).toContain("<img src=x");
  await page.getByLabel("Search clients").focus();
  await page.keyboard.type("to-close");
  await waitFor("it alone", async () => (await page.locator("tbody tr").count()) === 1);
  await page.getByText("1 of 1 that match").waitFor();
  const focus = page.getByRole("button", { name: "dev-to-close" });
  for (let presses = 0; presses < 30 && !(await focus.evaluate(IS_FOCUSED)); presses++)
    await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("User name").waitFor();
  expect(await page.textContent("dialog.detail")).toContain("somebody");
  expect(await violationsOn(page)).toEqual([]);
  await page.getByRole("button", { name: "Close the connection" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("The client may come again at once").waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).focus();
  await page.keyboard.press("Enter");
  await closed;
  await page.getByText("Closed.").waitFor();
  expect(complaints).toEqual([]);
  await page.context().close();
});

test("a server is drained, and that is undone by the notice", async () => {
  const { page } = await openPage(browser, url("brokers"));
  await page.getByRole("button", { name: `Drain 127.0.0.1:${broker.port}`, exact: true }).click();
  await page.getByText(/drained, \d+ left/).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await waitFor("it to be back", async () => (await page.getByText(/drained, \d+ left/).count()) === 0);
  await page.context().close();
});

test("a dry run, the reason of a router that is off, and a ban after a question", async () => {
  const { page } = await openPage(browser, url("routes"));
  await page.getByText("[service-unknown]").waitFor();
  await page.getByText("Dry run").click();
  await page.getByLabel("Name (SNI)").fill("localhost");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("It would be served.").waitFor();
  await page.goto(url("refusals"));
  await page.getByText("client-id-not-allowed").first().waitFor();
  await page.getByRole("button", { name: "Ban 127.0.0.1" }).first().click();
  await page.getByText("Behind one address there may be many").waitFor();
  await page.keyboard.press("Escape");
  await waitFor("the question to go", async () => (await page.locator("dialog").count()) === 0);
  expect(await page.getByText("Nobody is banned.").count()).toBe(1);
  await page.context().close();
});

test("it says that it is cut off, how old what it shows is, and goes on when Sluice is there again", async () => {
  const { page } = await openPage(browser, url("brokers"));
  await page.getByText("live, Sluice").waitFor();
  await page.waitForSelector("tbody tr");
  process.kill(sluice.process.pid, "SIGSTOP");
  try {
    await page.getByText(/does not answer; what is shown is \d+s old/).waitFor({ timeout: 30_000 });
    expect(await page.locator("tbody tr").count()).toBe(2);
  } finally {
    process.kill(sluice.process.pid, "SIGCONT");
  }
  await page.getByText("live, Sluice").waitFor({ timeout: 30_000 });
  await page.context().close();
});

test("nothing from elsewhere is loaded, framed or run, and it works under a base path", async () => {
  const other = await Sluice.start({
    dynamic: "tcp: { services: { s: { loadBalancer: { servers: [ { address: 127.0.0.1:1 } ] } } } }",
    extra: "api: { dashboard: true, basePath: /edge/ }",
  });
  const base = `http://127.0.0.1:${other.adminPort}/edge/dashboard`;
  const response = await fetch(`${base}/`);
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  expect(response.headers.get("x-frame-options")).toBe("DENY");
  expect(
    (
      await fetch(`${base}/app.js`, {
        headers: { "if-none-match": (await fetch(`${base}/app.js`)).headers.get("etag")! },
      })
    ).status,
  ).toBe(304);
  expect((await fetch(`${base}/nothing`)).status).toBe(404);
  expect((await fetch(base, { redirect: "manual" })).headers.get("location")).toBe("dashboard/");
  const requested: string[] = [];
  const { page, complaints } = await openPage(browser, "about:blank");
  page.on("request", (request) => requested.push(request.url()));
  await page.goto(`${base}/#/brokers`);
  await page.getByText("127.0.0.1:1").first().waitFor();
  expect(
    requested.filter(
      (each) => !each.startsWith(`http://127.0.0.1:${other.adminPort}/edge/`) && !each.startsWith("data:"),
    ),
  ).toEqual([]);
  expect(complaints).toEqual([]);
  await page.context().close();
  await other.stop();
});
