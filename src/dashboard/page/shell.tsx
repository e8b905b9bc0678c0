// What is around every page: where one is, where one can go, whether Sluice answers, and light or dark.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { duration } from "./format.ts";
import { useLink, useLive } from "./live.ts";
import type { PageProps } from "./page-props.ts";
import { Brokers } from "./pages/brokers.tsx";
import { Certificates } from "./pages/certificates.tsx";
import { Clients } from "./pages/clients.tsx";
import { Configuration } from "./pages/configuration.tsx";
import { Now } from "./pages/now.tsx";
import { Refusals } from "./pages/refusals.tsx";
import { Routes } from "./pages/routes.tsx";
import { Notices } from "./parts.tsx";

const PAGES: Readonly<Record<string, { readonly title: string; readonly Page: ComponentType<PageProps> }>> = {
  now: { title: "Now", Page: Now },
  clients: { title: "Clients", Page: Clients },
  routes: { title: "Routes", Page: Routes },
  brokers: { title: "Brokers", Page: Brokers },
  certificates: { title: "Certificates", Page: Certificates },
  refusals: { title: "Refusals", Page: Refusals },
  configuration: { title: "Configuration", Page: Configuration },
};

function useAddress(): { readonly page: string; readonly search: URLSearchParams } {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  const [page = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  return { page: page in PAGES ? page : "now", search: new URLSearchParams(search) };
}

export function Shell() {
  const { page, search } = useAddress();
  const { title, Page } = PAGES[page]!;
  useEffect(() => {
    document.title = `${title} - Sluice`;
  }, [title]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href="#/now" aria-label="Sluice, to the page Now">
          <svg viewBox="0 0 16 16" width="22" height="22" aria-hidden="true">
            <rect width="16" height="16" rx="4" class="brand-ground" />
            <path d="M3 6q2.5-2 5 0t5 0M3 10q2.5-2 5 0t5 0" class="brand-wave" />
          </svg>
          Sluice
        </a>
        <nav aria-label="Pages">
          {Object.entries(PAGES).map(([name, each]) => (
            <a key={name} href={`#/${name}`} aria-current={name === page ? "page" : undefined}>
              {each.title}
            </a>
          ))}
        </nav>
        <LinkState />
        <Theme />
      </header>
      <main id="main" tabIndex={-1}>
        <h1>{title}</h1>
        <Page search={search} />
      </main>
      <Notices />
    </>
  );
}

/** An answer is late after so long. Milliseconds. */
const LATE_MS = 8000;

function LinkState() {
  const { lastAt, failure } = useLink();
  const [now, setNow] = useState(Date.now());
  const { data: version } = useLive<{ Version: string }>("version", 60_000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const isCutOff = failure !== null || (lastAt > 0 && now - lastAt > LATE_MS && !document.hidden);
  const text = isCutOff
    ? `${failure?.message ?? "Sluice does not answer"}${lastAt > 0 ? `; what is shown is ${duration(now - lastAt)} old` : ""}`
    : lastAt === 0
      ? "connecting"
      : `live, Sluice ${version?.Version ?? ""}`;
  return (
    <p class={`link ${isCutOff ? "bad" : lastAt === 0 ? "" : "good"}`} role="status">
      <span class="dot" aria-hidden="true" />
      {text}
    </p>
  );
}

const THEMES = ["auto", "light", "dark"] as const;
type ThemeName = (typeof THEMES)[number];

function Theme() {
  const [theme, setTheme] = useState<ThemeName>(() => THEMES.find((each) => each === stored()) ?? "auto");
  useEffect(() => {
    if (theme === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", theme);
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // It is forgotten then.
    }
  }, [theme]);
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`Colours: ${theme}. Change`}
      onClick={() => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!)}
    >
      {theme === "auto" ? "Auto" : theme === "light" ? "Light" : "Dark"}
    </button>
  );
}

function stored(): string | null {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}
