// One plot over the last quarter of an hour, in the colours of the page.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

export interface Line {
  readonly label: string;
  /** Name of a colour of the style sheet. */
  readonly color: string;
  readonly values: readonly (number | null)[];
}

export function Plot({
  title,
  times,
  lines,
  format,
}: {
  readonly title: string;
  /** Unix time in seconds. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const last = lines.map(({ label, values }) => `${label} ${format(values.at(-1) ?? 0)}`).join(", ");
  useEffect(() => {
    const element = place.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, lines, format), dataOf(times, lines), element);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    // Colours are drawn, and do not follow by themselves.
    const themed = new MutationObserver(make);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => {
    plot.current?.setData(dataOf(times, lines));
  });
  return (
    <figure class="plot">
      <figcaption>
        {title}
        <span class="legend">
          {lines.map(({ label, color, values }) => (
            <span key={label}>
              <span class={`swatch ${color}`} aria-hidden="true" />
              {label} <b>{format(values.at(-1) ?? 0)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={place} role="img" aria-label={`${title}, now: ${last}`} />
    </figure>
  );
}

const HEIGHT = 150;

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData;
}

function optionsOf(element: HTMLElement, lines: readonly Line[], format: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: color("muted"),
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  return {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.15)] } },
    axes: [
      { ...axis, space: 70, size: 26, values: "{HH}:{mm}" } as uPlot.Axis,
      { ...axis, size: 54, values: (_, splits) => splits.map(format) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: 1.75,
        fill: `${color(line.color)}22`,
        points: { show: false },
      })),
    ],
  };
}
