// The file provider does what every provider does, and what only files can do: links in loops, pipes, files that are emptied.

import { describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { formatDiagnostic } from "../../../src/config/diagnostics.ts";
import { FileProvider, type FileProviderOptions } from "../../../src/providers/file.ts";
import { providerSuite, type Store } from "../../support/provider-suite.ts";
import { exec, temporaryDirectory, waitFor } from "../../support/tools.ts";

const text = (services: readonly string[]) =>
  `tcp: { services: { ${services.map((each) => `${each}: { loadBalancer: {} }`).join(", ")} } }\n`;

/** A directory, or one file in it. */
function store(options: (directory: string) => FileProviderOptions, several: boolean): Store {
  const root = temporaryDirectory();
  const directory = join(root, "dynamic");
  mkdirSync(directory);
  const path = (entry: string) => join(directory, `${entry}.yml`);
  const inotify = () =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes("inotify");
      } catch {
        return false;
      }
    }).length;
  const before = inotify();
  return {
    kind: "files",
    several,
    provider: () => new FileProvider(options(directory)),
    put: async (entry, services) => writeFileSync(path(entry), text(services)),
    spoil: async (entry) => writeFileSync(path(entry), "tcp: { services: { a: { oops: 1 } } }\n"),
    remove: async (entry) => rmSync(path(entry)),
    hide: async () => renameSync(directory, `${directory}.away`),
    show: async () => renameSync(`${directory}.away`, directory),
    placeOf: (entry) => `${entry}.yml`,
    // The runtime keeps one descriptor for all watches of the process, from the first one on.
    left: async () => (inotify() > Math.max(before, 1) ? ["inotify"] : []),
  };
}

providerSuite("a directory", async () => store((directory) => ({ directory, watch: true, poll: null }), true));
providerSuite("a directory that is polled", async () =>
  store((directory) => ({ directory, watch: true, poll: 100 }), true),
);
providerSuite("one file", async () =>
  store((directory) => ({ filename: join(directory, "a.yml"), watch: true, poll: null }), false),
);

/** A provider that is asked again and again, without a watch. */
function asked(options: Omit<FileProviderOptions, "watch" | "poll">) {
  const provider = new FileProvider({ ...options, watch: false, poll: null });
  return async () => {
    await provider.refresh();
    const { offer, fresh, diagnostics } = provider.current();
    return {
      fresh,
      services: offer?.flatMap((file) => Object.keys(file.value.tcp.services)) ?? null,
      problems: diagnostics.list.map(formatDiagnostic),
    };
  };
}

describe("what has vanished is not meant to be empty", () => {
  const file = () => join(temporaryDirectory(), "a.yml");

  const instead = (put: (path: string) => unknown) => (path: string) => {
    rmSync(path);
    return put(path);
  };
  for (const [what, spoil] of [
    ["emptied", (path: string) => truncateSync(path)],
    ["left with blanks", (path: string) => writeFileSync(path, " \n\n")],
    ["a directory", instead((path) => mkdirSync(path))],
    ["a pipe", instead((path) => exec(["mkfifo", path]))],
    ["a link to nothing", instead((path) => symlinkSync("nowhere", path))],
    ["a link to itself", instead((path) => symlinkSync("a.yml", path))],
    ["a device", instead((path) => symlinkSync("/dev/zero", path))],
  ] as const)
    for (const how of ["filename", "directory"] as const)
      test(`a file (${how}) that is ${what} keeps what it held, and is named`, async () => {
        const path = file();
        writeFileSync(path, text(["a"]));
        const ask = asked(how === "filename" ? { filename: path } : { directory: join(path, "..") });
        expect(await ask()).toMatchObject({ fresh: true, services: ["a"] });
        await spoil(path);
        const after = await ask();
        expect(after).toMatchObject({ fresh: false, services: ["a"] });
        expect(after.problems.join("\n")).toContain(path);
        rmSync(path, { recursive: true });
        writeFileSync(path, text(["b"]));
        expect(await ask()).toMatchObject({ fresh: true, services: ["b"], problems: [] });
      });

  for (const [what, written] of [
    ["a comment", "# nothing yet\n"],
    ["{}", "{}\n"],
  ])
    test(`a file with ${what} in it is meant`, async () => {
      const path = file();
      writeFileSync(path, text(["a"]));
      const ask = asked({ filename: path });
      await ask();
      writeFileSync(path, written!);
      expect(await ask()).toMatchObject({ fresh: true, services: [] });
    });

  test("a file that was empty from the beginning is a warning, and so is a new one", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "a.yml"), "");
    const ask = asked({ directory });
    expect(await ask()).toMatchObject({ fresh: true, services: [] });
    writeFileSync(join(directory, "b.yml"), text(["b"]));
    await ask();
    writeFileSync(join(directory, "c.yml"), "");
    const { fresh, services, problems } = await ask();
    expect([fresh, services]).toEqual([true, ["b"]]);
    expect(problems.every((line) => line.includes("warning: is empty"))).toBe(true);
    expect(problems).toHaveLength(2);
  });
});

describe("a directory tree is bounded", () => {
  test("links that lead back are followed once, and named", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "z.yml"), text(["z"]));
    for (const name of ["a", "b", "c"]) symlinkSync(".", join(directory, name));
    mkdirSync(join(directory, "sub"));
    symlinkSync("..", join(directory, "sub", "up"));
    const { fresh, services, problems } = await asked({ directory })();
    expect([fresh, services]).toEqual([true, ["z"]]);
    expect(problems).toHaveLength(4);
    expect(problems[0]).toContain("which is read already");
  });

  test("a link to the whole machine is an error, soon", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "a.yml"), text(["a"]));
    const ask = asked({ directory });
    await ask();
    symlinkSync("/", join(directory, "root"));
    const { fresh, services } = await ask();
    expect([fresh, services]).toEqual([false, ["a"]]);
  });

  test("a linked directory that is not mounted any more keeps what it held, until its link is removed", async () => {
    const [directory, volume] = [temporaryDirectory(), temporaryDirectory()];
    mkdirSync(join(volume, "tenants"));
    writeFileSync(join(volume, "tenants", "t.yml"), text(["t"]));
    writeFileSync(join(directory, "a.yml"), text(["a"]));
    symlinkSync(join(volume, "tenants"), join(directory, "tenants"));
    const ask = asked({ directory });
    expect(await ask()).toMatchObject({ fresh: true, services: ["a", "t"], problems: [] });
    renameSync(join(volume, "tenants"), join(volume, "away"));
    const after = await ask();
    expect(after).toMatchObject({ fresh: false, services: ["a", "t"] });
    expect(after.problems.join("\n")).toContain(`${directory}/tenants: was a directory, and leads to nothing now`);
    rmSync(join(directory, "tenants"));
    expect(await ask()).toMatchObject({ fresh: true, services: ["a"], problems: [] });
  });

  for (const poll of [null, 100])
    test(`a link to nothing is a warning, and what comes there is noticed (${poll === null ? "by events" : "by polling"})`, async () => {
      const [directory, volume] = [temporaryDirectory(), temporaryDirectory()];
      writeFileSync(join(directory, "a.yml"), text(["a"]));
      symlinkSync(join(volume, "tenants"), join(directory, "tenants"));
      const provider = new FileProvider({ directory, watch: true, poll });
      let changes = 0;
      await provider.start(() => void changes++);
      const said = provider.current().diagnostics.list.map(({ code }) => code);
      expect([provider.current().fresh, said]).toEqual([true, ["entry-not-read"]]);
      mkdirSync(join(volume, "tenants"));
      writeFileSync(join(volume, "tenants", "t.yml"), text(["t"]));
      await waitFor("the change", () => changes > 0 && provider.current().offer!.length === 2);
      await provider.close();
    });

  test("what is no regular file is named, and the rest is read", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "a.yml"), text(["a"]));
    await exec(["mkfifo", join(directory, "pipe.yml")]);
    symlinkSync("/dev/zero", join(directory, "zero.yaml"));
    const { fresh, services, problems } = await asked({ directory })();
    expect([fresh, services]).toEqual([true, ["a"]]);
    expect(problems).toEqual([
      `${directory}/pipe.yml: warning: is a named pipe, not a regular file: it is not read [entry-not-read]`,
      `${directory}/zero.yaml: warning: is a device, not a regular file: it is not read [entry-not-read]`,
    ]);
  });
});

test("a file of a directory that holds what it held is not decoded again, and what was wrong with it is said again", async () => {
  const directory = temporaryDirectory();
  const put = (name: string, content: string) => writeFileSync(join(directory, name), content);
  for (let index = 0; index < 100; index++) put(`${index}.yml`, text([`s${index}`]));
  put("odd.yml", "http: {}\nudp: {}\n");
  const provider = new FileProvider({ directory, watch: false, poll: null });
  const services = async () => {
    await provider.refresh();
    const { offer, diagnostics } = provider.current();
    const names = offer?.flatMap((file) => Object.keys(file.value.tcp.services)) ?? [];
    return {
      names,
      lacks: offer?.flatMap((file) => file.unsupported).length,
      errors: diagnostics.list.map(formatDiagnostic),
    };
  };
  const before = await services();
  expect(before.names.length).toBe(100);
  expect(provider.decoded).toBe(101);

  put("50.yml", text(["other"]));
  const after = await services();
  expect(after.names).toEqual(before.names.map((name) => (name === "s50" ? "other" : name)));
  expect(after.lacks).toBe(2);
  expect(provider.decoded).toBe(102);

  put("50.yml", "oops: 1\n");
  const wrong = (await services()).errors;
  expect(wrong.length).toBe(1);
  expect((await services()).errors).toEqual(wrong);
  expect(provider.decoded).toBe(103);
  put("50.yml", text(["s50"]));
  expect(await services()).toEqual(before);
});
