// Tables of devices: what spreadsheets write is read, and what is wrong is told with its place.

import { describe, expect, test } from "bun:test";
import { nameText } from "../../../src/authority/names.ts";
import { readDevices } from "../../../src/fleet/devices-csv.ts";

const read = (text: string | Buffer, mayBeWeak = false) => readDevices(Buffer.from(text as string), "d.csv", mayBeWeak);

function devices(text: string | Buffer, mayBeWeak = false) {
  const table = read(text, mayBeWeak);
  if (table.kind === "error") throw new Error(table.problems.join("\n"));
  return table.devices.map(({ line, subject, family, days, key }) => ({
    ...{ line, name: subject.commonName, names: subject.alternativeNames.map(nameText), family, days, key },
  }));
}

function problems(text: string | Buffer): readonly string[] {
  const table = read(text);
  return table.kind === "error" ? table.problems : [];
}

const PLAIN = { family: null, days: null, key: null };

test("a column of names is enough", () => {
  expect(devices("name\ndev-1\ndev-2")).toEqual([
    { line: 2, name: "dev-1", names: ["DNS:dev-1"], ...PLAIN },
    { line: 3, name: "dev-2", names: ["DNS:dev-2"], ...PLAIN },
  ]);
});

test("every column is read, in any order and any case, and empty fields are what the command says for all", () => {
  expect(
    devices(
      "Days,NAME,for,key,dns,ip,uri,email\n30,dev-1,android,rsa,a.example b.example,192.0.2.7,urn:x:1,a@example.com\n,dev-2,,,,,,\n",
    ),
  ).toEqual([
    {
      ...{ line: 2, name: "dev-1", family: "android", days: 30, key: "rsa2048" },
      names: ["DNS:dev-1", "DNS:a.example", "DNS:b.example", "IP:192.0.2.7", "URI:urn:x:1", "email:a@example.com"],
    },
    { line: 3, name: "dev-2", names: ["DNS:dev-2"], ...PLAIN },
  ]);
});

test("quoted fields, a byte order mark, CRLF, umlauts, semicolons and tabs are read", () => {
  const names = (text: string | Buffer) => devices(text).map(({ name }) => name);
  expect(names('\ufeffname,for\r\n"Gerät, links",mosquitto\r\n"das ""große""",\r\n')).toEqual([
    "Gerät, links",
    'das "große"',
  ]);
  expect(names("\ufeffname;days\r\nMüller;30\r\n")).toEqual(["Müller"]);
  expect(names("name\tdays\nx,y;z\t30\n")).toEqual(["x,y;z"]);
  expect(names('"name"\n\n"a"\n\n\nb\n')).toEqual(["a", "b"]);
});

test("lines are counted as editors count them, over empty lines and quoted line ends", () => {
  expect(problems('name,dns\n\na,"x.example\ny.example"\n\nbad\u0007,\nc,\n')).toEqual([
    "d.csv:6: name: the client name 'bad\\u0007' has a control character",
  ]);
  expect(devices('name,dns\n\na,"x.example\ny.example"\n\nb,\n').map(({ line }) => line)).toEqual([3, 6]);
});

describe("what is wrong is told with line and column, all of it at once:", () => {
  test.each([
    ["", ["d.csv is empty: its first line names the columns, such as name,for,days"]],
    ["name\n", ["d.csv has no device: there is only the line with the columns"]],
    [
      "nmae\nx",
      ["d.csv:1: there is no column 'nmae' (did you mean \"name\"?)", "d.csv:1: the column 'name' is missing"],
    ],
    ["name,name\nx,y", ["d.csv:1: the column 'name' is there twice"]],
    ["name,days\nx,0\ny,many\n", ["d.csv:2: days: a number from 1 to 36500, and not '0'", "d.csv:3: days: "]],
    ["name,for\nx,androit\n", ["d.csv:2: for: 'androit' is no family (did you mean \"android\"?)"]],
    ["name,key\nx,dsa\ny,rsa1024", ["d.csv:2: key: 'dsa' is no kind of key", "d.csv:3: key: rsa1024 is not safe"]],
    ["name\nx\ny\nx\n", ["d.csv:4: name: 'x' is in line 2 too"]],
    ["name,days\nx\n", ["d.csv:2: the row has 1 field, and there are 2 columns"]],
    ["name,days\nx,1,2\n", ["d.csv:2: the row has 3 fields, and there are 2 columns"]],
    ["name,days\n,30\n", ["d.csv:2: name: a client needs a name: this one is empty"]],
    [`name\n${"x".repeat(65)}\n`, ["d.csv:2: name: the client name '"]],
    ["name,dns\nx,a b_c! d\n", ["d.csv:2: dns: 'b_c!' is no host name"]],
    ["name,ip\nx,1.2.3\n", ["d.csv:2: ip: '1.2.3' is neither an address nor a host name"]],
    ["name,uri\nx,plain\n", ["d.csv:2: uri: 'plain' is no URI"]],
    ["name,email\nx,a@@b\n", ["d.csv:2: email: 'a@@b' is no e-mail address"]],
    ['name\n"x\ny\n', ["d.csv:2: a field begins with a quote and never ends"]],
    ['name\n"x"y\n', ["d.csv:2: something follows the quote"]],
    ['name\nx"y\n', ["d.csv:2: a quote stands within a field"]],
    [`name\n"${"x".repeat(20_000)}\n`, ["d.csv:2: a row has more than 16384 characters"]],
    [Buffer.from("name\nM\xfcller\n", "latin1"), ["d.csv:2: this is not UTF-8"]],
    [Buffer.from("\ufeffname\nx\n", "utf16le"), ["d.csv is in UTF-16"]],
    [Buffer.from("name\n\0\x01x\n"), ["d.csv is binary"]],
  ] as const)("%j", (text, expected) => {
    const found = problems(text as string);
    expect(found.length).toBe(expected.length);
    for (const [at, begin] of expected.entries()) expect(found[at]).toStartWith(begin);
  });
});

test("--insecure allows RSA of 1024 bits in a table too", () => {
  expect(devices("name,key\nx,rsa1024", true)[0]!.key).toBe("rsa1024");
});

test("names that look alike to a file system, and names that lead out of the directory, are folders of their own", () => {
  expect(devices("name\n..\n../x\nx/y\n.\nCON\n").map(({ name }) => name)).toEqual(["..", "../x", "x/y", ".", "CON"]);
  // The same letters in another form of Unicode are the same name.
  expect(problems("name\nGer\u00e4t\nGera\u0308t\n")).toEqual(["d.csv:3: name: 'Gerät' is in line 2 too"]);
});

test("whatever the bytes are, there is an answer", () => {
  const alphabet = ["name", ",", ";", '"', "\n", "\r", "\t", "x", "ä", "\0", " ", "days", "1"];
  for (let round = 0; round < 3000; round++) {
    let state = round + 1;
    const next = () => (state = (state * 48271) % 2147483647);
    const text = Array.from({ length: next() % 30 }, () => alphabet[next() % alphabet.length]).join("");
    const table = read(`name${text}`);
    expect(table.kind === "ok" || table.problems.length > 0).toBe(true);
  }
});

test("columns and rows in which a spreadsheet has only separators do not count", () => {
  expect(devices("name;for;;\r\nw1;mosquitto;;\r\n;;;\r\nw2;esp32;;\r\n;;;\r\n")).toEqual([
    { line: 2, name: "w1", names: ["DNS:w1"], ...PLAIN, family: "mosquitto" },
    { line: 4, name: "w2", names: ["DNS:w2"], ...PLAIN, family: "esp32" },
  ]);
  expect(problems("name;for;;\nw1;mosquitto;x;\n")).toEqual(["d.csv:2: the row has 3 fields, and there are 2 columns"]);
  expect(problems("name;;for\nw1;;esp32\n")).toEqual([
    "d.csv:1: there is no column '': the columns are name, for, days, key, dns, ip, uri, email",
  ]);
});
