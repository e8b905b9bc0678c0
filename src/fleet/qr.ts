// The QR code of a device: where it connects to and as whom, for whoever would type that on a phone. No key and no password is ever in it,
// because a picture is photographed, and seen by others.

import { correction, generate } from "lean-qr";
import { toPngBuffer } from "lean-qr/extras/node_export";
import { addressOf, type Device } from "./device.ts";

/** `mqtts://mqtt.example.com:8883?clientId=dev-1`. */
export function addressUrl(device: Pick<Device, "server" | "name">): string {
  return `mqtts://${addressOf(device)}?clientId=${encodeURIComponent(device.name)}`;
}

/** White around it, in modules: what ISO 18004 asks for. */
const QUIET = 4;
/** Pixels of a module. */
const SCALE = 8;

const codeOf = (text: string) => generate(text, { minCorrectionLevel: correction.M });

export function qrPng(text: string): Buffer {
  return Buffer.from(
    toPngBuffer(codeOf(text), { pad: QUIET, scale: SCALE, on: [0, 0, 0, 255], off: [255, 255, 255, 255] }),
  );
}

const BLACK_ON_WHITE = "\x1b[30;107m";
const NORMAL = "\x1b[0m";

/** For a terminal: two rows of modules in each line, black on white whatever its colours are. */
export function qrLines(text: string): string[] {
  const code = codeOf(text);
  const lines: string[] = [];
  for (let y = -QUIET; y < code.size + QUIET; y += 2) {
    let line = "";
    for (let x = -QUIET; x < code.size + QUIET; x++)
      line += [" ", "▄", "▀", "█"][(code.get(x, y) ? 2 : 0) + (code.get(x, y + 1) ? 1 : 0)];
    lines.push(BLACK_ON_WHITE + line + NORMAL);
  }
  return lines;
}
