// A real browser that looks at the dashboard: Debian's chromium, without a window.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium, type Page } from "playwright-core";
import { cleanup } from "./tools.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function openBrowser(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    // As root, and where /dev/shm is small, as in a container.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  cleanup(() => browser.close());
  return browser;
}

export interface Seen {
  readonly page: Page;
  /** What the browser has complained of. */
  readonly complaints: string[];
}

/** @param scheme light or dark @param width of the window */
export async function openPage(
  browser: Browser,
  url: string,
  scheme: "light" | "dark" = "light",
  width = 1280,
): Promise<Seen> {
  // Axe is put in from outside, which the page's own policy would not allow.
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 }, bypassCSP: false });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  return { page, complaints };
}

/** What axe-core finds against WCAG 2.1 A and AA, in words. */
export async function violationsOn(page: Page): Promise<string[]> {
  // Evaluated in a world of its own, which the policy of the page does not bind.
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  });
}
