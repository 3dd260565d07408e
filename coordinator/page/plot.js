// Drawing: elements, scales, axes. Nothing here knows what a threshold is.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  for (const child of [children].flat(Infinity))
    if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}
const html = (name, attributes, ...children) => make(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => make(document.createElementNS(SVG, name), attributes, children);

// A number for people: some digits, no exponent where none is needed; a dash where there is none.
function show(x, digits = 4) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6 || size < 1e-4) return x.toExponential(digits - 1);
  return String(Number(x.toPrecision(digits)));
}
const fixed = (x, places) => (x === null || x === undefined || !Number.isFinite(x) ? "–" : x.toFixed(places).replace("-", "−"));
const count = (n) => n.toLocaleString("en-US");

// Round numbers between lo and hi, about n of them.
function ticks(lo, hi, n) {
  const raw = (hi - lo) / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= raw);
  const list = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; k++) list.push(k * step || 0);
  return list;
}
const linear = (lo, hi, from, to) => (x) => from + ((x - lo) / (hi - lo || 1)) * (to - from);

const line = (points, attributes) =>
  svg("path", { d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""), ...attributes });

// A plot fills its figure's width, and is drawn again when that changes. draw(width) gives {height, parts}.
function plot(figure, label, draw) {
  const frame = svg("svg", { role: "img", "aria-label": label });
  let before = 0;
  const redraw = () => {
    const width = Math.max(260, Math.floor(figure.clientWidth));
    if (width === before) return;
    before = width;
    const { height, parts } = draw(width);
    frame.replaceChildren();
    make(frame, { viewBox: `0 0 ${width} ${height}`, height }, parts);
  };
  figure.prepend(frame);
  new ResizeObserver(redraw).observe(figure);
  redraw();
}

// The axes of a box {left, right, top, bottom}: ticks below, and lines across with their numbers on the left.
function axes(box, x, xTicks, y, yTicks, names) {
  return [
    yTicks.map((t) => [
      svg("line", { class: "grid", x1: box.left, x2: box.right, y1: y(t), y2: y(t) }),
      svg("text", { x: box.left - 6, y: y(t) + 4, "text-anchor": "end" }, names.yTick ? names.yTick(t) : show(t)),
    ]),
    xTicks.map((t) => svg("text", { x: x(t), y: box.bottom + 16, "text-anchor": "middle" }, names.xTick ? names.xTick(t) : show(t))),
    svg("path", { class: "axis", d: `M${box.left} ${box.bottom}H${box.right}` }),
    names.x && svg("text", { x: box.right, y: box.bottom + 32, "text-anchor": "end" }, names.x),
    names.y && svg("text", { x: 0, y: box.top - 8 }, names.y),
  ];
}
