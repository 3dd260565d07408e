// The page: sections out of the data, and what a reader may choose.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const { report, run } = data;
const targets = Object.entries(report.targets).map(([name, t]) => ({ name, ...t }));
const planned = targets.filter((t) => t.layers);
const isEvaluated = planned.some((t) => t.agreement !== undefined);
const tops = Object.keys(report.fp32).filter((k) => /^(top\d+|mean_iou|pixel_accuracy)$/.test(k)); // of classes, or of pixels
const hasLabels = tops.some((k) => report.fp32[k] !== null);

// What is chosen, and who wants to know when that changes.
const chosen = { target: planned.length ? planned[0].name : null, value: null, isLog: true, sort: null };
const watchers = [];
function choose(change) {
  Object.assign(chosen, change);
  for (const update of watchers) update(change);
}
const chosenTarget = () => planned.find((t) => t.name === chosen.target);

// Sections are added in order; each has a line in the navigation.
function section(id, title, ...children) {
  document.querySelector("nav").append(html("a", { href: `#${id}` }, title));
  const place = html("section", { id }, html("h2", {}, title), ...children);
  document.querySelector("main").append(place);
  return place;
}

// ---- accuracy ----

// What matters most stands first: a phone shows three columns.
const error = (t) => html("td", { class: "soft" }, fixed(t[`${tops[0]}_standard_error`], 2));
const percents = (t, keys) => keys.map((k) => html("td", {}, fixed(t[k], 2)));

function accuracyCells(t) {
  const change = hasLabels ? t[tops[0]] - report.fp32[tops[0]] : null;
  return [
    hasLabels && [
      html("td", {}, fixed(t[tops[0]], 2)),
      html("td", { class: change < 0 && t.mcnemar_p < 0.05 ? "bad" : null }, (change > 0 ? "+" : "") + fixed(change, 2)),
    ],
    html("td", {}, fixed(t.agreement, 2)),
    html("td", {}, fixed(t.sqnr_db, 1)),
    hasLabels && [[t.lost, t.gained].map((n) => html("td", {}, n === undefined ? "–" : count(n))), html("td", {}, show(t.mcnemar_p, 2)), error(t), percents(t, tops.slice(1))],
    html("td", {}, show(t.kl_divergence, 3)),
  ];
}

function accuracy() {
  const percent = (k) => k.replace("top", "top-").replace("mean_iou", "mean IoU").replace("pixel_accuracy", "right pixels") + " %";
  const head = html("tr", {},
    html("th", { class: "text" }, "network"),
    hasLabels && [html("th", {}, percent(tops[0])), html("th", {}, "change")],
    html("th", {}, "agreement %"), html("th", {}, "SQNR dB"),
    hasLabels && [["lost", "gained", "p", "s.e."].map((name) => html("th", {}, name)), tops.slice(1).map((k) => html("th", {}, percent(k)))],
    html("th", {}, "KL, nats"));
  const blank = (n) => Array.from({ length: n }, () => html("td", {}));
  const rows = [html("tr", {}, html("td", { class: "text" }, "fp32"),
    hasLabels ? [html("td", {}, fixed(report.fp32[tops[0]], 2)), blank(6), error(report.fp32), percents(report.fp32, tops.slice(1)), blank(1)] : blank(3))];
  const width = head.children.length - 1;
  for (const t of targets) {
    if (t.layers && t.agreement !== undefined) {
      const row = html("tr", { class: "pick", "data-target": t.name, tabindex: 0 }, html("td", { class: "text" }, t.name), accuracyCells(t));
      row.addEventListener("click", () => choose({ target: t.name }));
      row.addEventListener("keydown", (e) => e.key === "Enter" && choose({ target: t.name }));
      rows.push(row, ...t.variants.map((v) => html("tr", { class: "variant" }, html("td", { class: "text" }, `if it rounds ${v.name}`), accuracyCells(v))));
    }
    if (t.error) rows.push(html("tr", {}, html("td", { class: "text" }, t.name), html("td", { class: "text sentence bad", colspan: width }, t.error)));
  }
  section("accuracy", "Accuracy",
    !isEvaluated && html("p", {}, "Nothing was evaluated (evaluate.skip), so there are no accuracies here."),
    isEvaluated && html("p", { class: "soft" }, "Each target as simulated in its own arithmetic, on the same records as fp32. ",
      hasLabels ? "Lost and gained: records that fp32 alone, or the target alone, gets right; p: how likely chance alone splits them so unevenly (McNemar). A change is coloured where p is below 0.05. s.e.: standard error of the first accuracy." : "The records have no labels; agreement counts those whose largest output is that of fp32."),
    html("div", { class: "wide" }, html("table", {}, html("thead", {}, head), html("tbody", {}, rows))),
    targets.flatMap((t) => t.warnings.map((w) => html("p", {}, html("b", {}, t.name + ": "), w))));
  watchers.push(() => {
    for (const row of document.querySelectorAll("[data-target]")) row.classList.toggle("chosen", row.dataset.target === chosen.target);
  });
}

// ---- layers ----

// Here too what matters most stands first.
const columns = [
  { key: "name", title: "value", text: true },
  { key: "sqnr_db", title: "SQNR dB", show: (x) => fixed(x, 2), measured: true },
  { key: "threshold", title: "threshold", show: show },
  { key: "method", title: "method", text: true },
  { key: "op", title: "operator", text: true },
  { key: "cosine", title: "cosine", show: (x) => fixed(x, 5), measured: true },
  { key: "max_error", title: "max error", show: (x) => show(x, 3), measured: true },
  { key: "clipped", title: "clipped %", show: (x) => fixed(x === null || x === undefined ? x : 100 * x, 3), measured: true },
  { key: "used_codes", title: "codes %", show: (x) => fixed(x === null || x === undefined ? x : 100 * x, 0), measured: true },
  { key: "weights_method", title: "weights", text: true },
].filter((c) => isEvaluated || !c.measured);

// Nothing known sorts last, whichever way.
function inOrder(layers) {
  if (!chosen.sort) return layers;
  const { key, down } = chosen.sort;
  const isKnown = (x) => x !== null && x !== undefined;
  return [...layers].sort((a, b) => {
    const [p, q] = [a[key], b[key]];
    if (!isKnown(p) || !isKnown(q)) return isKnown(q) - isKnown(p);
    return (down ? -1 : 1) * (typeof p === "string" ? p.localeCompare(q) : p - q);
  });
}

function layers() {
  const select = html("select", { "aria-label": "target" }, planned.map((t) => html("option", {}, t.name)));
  const filter = html("input", { type: "search", placeholder: "only names with …", "aria-label": "filter by name" });
  const headings = columns.map((c) => {
    const button = html("button", { type: "button" }, c.title);
    button.addEventListener("click", () => choose({ sort: { key: c.key, down: chosen.sort?.key === c.key ? !chosen.sort.down : false } }));
    return html("th", { class: c.text ? "text" : null, "data-key": c.key }, button);
  });
  const body = html("tbody", {});
  const figure = html("figure", { id: "profile" });

  const fill = () => {
    const rows = inOrder(chosenTarget().layers).filter((l) => l.name.includes(filter.value)).map((l) => {
      const row = html("tr", { class: "pick" + (l.name === chosen.value ? " chosen" : ""), tabindex: 0 },
        columns.map((c) => html("td", { class: (c.text ? "text" : "") + (c.key === "name" ? " name" : ""), title: c.key === "name" ? l.name : null },
          c.text ? l[c.key] ?? "" : c.show(l[c.key]))));
      const pick = () => choose({ value: l.name });
      row.addEventListener("click", pick);
      row.addEventListener("keydown", (e) => e.key === "Enter" && pick());
      return row;
    });
    body.replaceChildren(...rows);
    for (const th of headings) th.setAttribute("aria-sort", chosen.sort?.key === th.dataset.key ? (chosen.sort.down ? "descending" : "ascending") : "none");
    select.value = chosen.target;
  };
  select.addEventListener("change", () => choose({ target: select.value }));
  filter.addEventListener("input", fill);
  section("layers", "Layers",
    html("p", { class: "soft" }, isEvaluated ? "Error of every value against fp32, with all integer layers before it. Choose a row, or a place in the plot, to see the value below; choose a heading to sort." : "Choose a row to see the value below; choose a heading to sort."),
    html("div", { class: "controls" }, html("label", {}, "target ", select), filter),
    isEvaluated && figure,
    html("div", { class: "wide limited" }, html("table", { id: "layer-table" }, html("thead", {}, html("tr", {}, headings)), body)));
  watchers.push((change) => {
    fill();
    if (isEvaluated && ("target" in change || "value" in change)) profile(figure);
  });
}

// SQNR along the network: the chosen target among all.
function profile(figure) {
  const mine = chosenTarget();
  const known = planned.flatMap((t) => t.layers.map((l) => l.sqnr_db)).filter((x) => x !== null && x !== undefined);
  figure.replaceChildren(html("figcaption", {}, `SQNR in the order of the network: ${mine.name} among the other targets`));
  if (!known.length) return;
  plot(figure, `SQNR of every value on ${mine.name}`, (width) => {
    const box = { left: 34, right: width - 8, top: 22, bottom: 190 };
    const hi = Math.max(...known), lo = Math.min(0, ...known);
    const x = linear(0, mine.layers.length - 1, box.left, box.right), y = linear(lo, hi, box.bottom, box.top);
    const path = (t) => t.layers.map((l, i) => [x(i), l.sqnr_db]).filter(([, s]) => s !== null && s !== undefined).map(([px, s]) => [px, y(s)]);
    const place = mine.layers.findIndex((l) => l.name === chosen.value), here = mine.layers[place];
    const hit = svg("rect", { class: "hit", x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top });
    hit.addEventListener("click", (e) => {
      const at = (e.clientX - hit.getBoundingClientRect().left) / hit.getBoundingClientRect().width;
      choose({ value: mine.layers[Math.round(at * (mine.layers.length - 1))].name });
    });
    return {
      height: 200,
      parts: [
        axes(box, x, [], y, ticks(lo, hi, 5), { y: "dB" }),
        planned.filter((t) => t !== mine).map((t) => line(path(t), { class: "muted" })),
        line(path(mine), { class: "first" }),
        here && [
          svg("path", { class: "guide", d: `M${x(place)} ${box.top}V${box.bottom}` }),
          svg("text", { class: "strong", x: x(place), y: 12, "text-anchor": place > mine.layers.length / 2 ? "end" : "start" }, `${here.name}: ${fixed(here.sqnr_db, 1)} dB`),
        ],
        hit,
      ],
    };
  });
}

// ---- one value ----

function value() {
  const log = html("input", { type: "checkbox", id: "log" });
  const title = html("h3", {}), facts = html("p", { class: "soft" }), figure = html("figure", { id: "histogram" }), convergence = html("figure", { id: "value-convergence" });

  log.checked = chosen.isLog;
  log.addEventListener("change", () => choose({ isLog: log.checked }));
  section("value", "Distribution and thresholds",
    title, facts, html("div", { class: "controls" }, html("label", {}, log, " logarithmic counts")), figure, convergence);
  watchers.push((change) => {
    const v = data.values.find((w) => w.name === chosen.value);

    if (!("value" in change || "target" in change || "isLog" in change)) return;
    title.textContent = chosen.value ?? "";
    facts.textContent = v ? describe(v) : "Nothing was counted of this value.";
    figure.replaceChildren();
    if (v && v.max !== null) histogram(figure, v);
    valueConvergence(convergence, chosen.value);
  });
}

function describe(v) {
  const odd = v.nans + v.infs;
  return `${count(v.n)} elements from ${show(v.min)} to ${show(v.max)}; ${fixed((100 * v.zeros) / v.n, 1)}\u00a0% are zero` + (odd ? `; ${count(odd)} are NaN or infinite` : "") + ".";
}

// Counts of magnitudes above, and on the same axis every method's threshold below.
function histogram(figure, v) {
  const width = 2 ** v.exponent;
  const most = Math.max(...v.positive, ...v.negative), end = Math.max(v.positive.length, v.negative.length) * width;
  const layer = chosenTarget().layers.find((l) => l.name === v.name);
  const methods = data.methods.map((name, i) => ({ name, threshold: v.thresholds[i] })).filter((m) => m.threshold > 0);
  const size = (n) => (chosen.isLog ? Math.log10(1 + n) : n);
  const row = 17;

  figure.append(html("figcaption", {},
    html("span", { class: "key", style: "color: var(--first)" }), "positive ", v.negative.length ? [html("span", { class: "key", style: "color: var(--second)" }), "negative "] : null,
    "magnitudes; zeros are left out. ", data.methods.length > 0 && "Below: the threshold that each method finds for signed 8 bits.",
    layer?.threshold && ` Dashed: what ${chosen.target} uses (${layer.method}${layer.channels ? ", its widest channel" : ""}).`));
  plot(figure, `histogram of ${v.name}`, (total) => {
    const box = { left: total < 500 ? 96 : 130, right: total - 14, top: 24, bottom: 214 }, below = box.bottom + 40;
    const x = linear(0, end, box.left, box.right), y = linear(0, size(most), box.bottom, box.top);
    const marks = chosen.isLog ? ticks(0, Math.floor(size(most)), 4).filter(Number.isInteger).map((p) => 10 ** p) : ticks(0, most, 4);
    const steps = (counts) => counts.flatMap((n, i) => [[x(i * width), y(size(n))], [x((i + 1) * width), y(size(n))]]);
    const closed = (points) => [[box.left, box.bottom], ...points, [points[points.length - 1][0], box.bottom]];
    return {
      height: below + methods.length * row + 6,
      parts: [
        axes(box, x, ticks(0, end, total < 500 ? 3 : 7), (n) => y(size(n)), marks, { x: "magnitude", y: "elements a bin", yTick: (n) => (n >= 1e6 ? n.toExponential(0).replace("+", "") : count(n)) }),
        v.positive.length && line(closed(steps(v.positive)), { class: "area" }),
        v.negative.length && line(steps(v.negative), { class: "second" }),
        methods.map((m, i) => {
          const at = below + i * row;
          const isUsed = layer && layer.method.split(" ")[0] === m.name;
          return [
            svg("line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at }),
            svg("text", { class: isUsed ? "strong" : null, x: box.left - 8, y: at + 4, "text-anchor": "end" }, m.name),
            svg("circle", { class: isUsed ? "dot first" : "dot", cx: x(m.threshold), cy: at, r: 4 }, svg("title", {}, `${m.name}: ${show(m.threshold, 6)}`)),
          ];
        }),
        layer?.threshold && layer.threshold <= end * 1.001 && [
          svg("path", { class: "guide", d: `M${x(layer.threshold)} ${box.top - 6}V${methods.length ? below + (methods.length - 1) * row + 8 : box.bottom}` }),
          svg("text", { class: "strong", x: x(layer.threshold), y: 12, "text-anchor": layer.threshold > end / 2 ? "end" : "start" }, `${chosen.target}: ${show(layer.threshold)}`),
        ],
      ],
    };
  });
}

// ---- convergence ----

const converged = report.convergence?.values ?? [];

function valueConvergence(figure, name) {
  const c = converged.find((w) => w.name === name), records = report.convergence?.records;

  figure.replaceChildren();
  if (!c) return;
  const known = c.thresholds.map((t, i) => [records[i], t]).filter(([, t]) => t !== null);
  figure.append(html("figcaption", {}, `Threshold by ${report.convergence.method} after so many records; the bar at the end is where 18 of 20 resamples lie.`));
  plot(figure, `threshold of ${name} against the number of records`, (width) => {
    const box = { left: 52, right: width - 16, top: 12, bottom: 130 };
    const all = [...known.map(([, t]) => t), c.low, c.high].filter((t) => t !== null), hi = Math.max(...all), lo = Math.min(...all), pad = (hi - lo) / 2 + hi / 50;
    const x = linear(0, records[records.length - 1], box.left, box.right), y = linear(lo - pad, hi + pad, box.bottom, box.top);
    return {
      height: 168,
      parts: [
        axes(box, x, ticks(0, records[records.length - 1], width < 500 ? 3 : 8), y, ticks(lo - pad, hi + pad, 4), { x: "records", xTick: count }),
        c.low !== null && svg("line", { class: "band", x1: box.right, x2: box.right, y1: y(c.low), y2: y(c.high) }),
        line(known.map(([n, t]) => [x(n), y(t)]), { class: "first" }),
        known.map(([n, t]) => svg("circle", { class: "dot first", cx: x(n), cy: y(t), r: 3 })),
      ],
    };
  });
}

function convergence() {
  const c = report.convergence;

  if (!c) return;
  const figure = html("figure", { id: "convergence-plot" }, html("figcaption", {}, "Every value's threshold relative to its last one; the one that moved most is drawn strong."));
  section("convergence", "Were there enough records?",
    html("p", {}, `${c.is_enough ? "Yes" : "No"}: from half of the records to all, thresholds (${c.method}) moved by at most ${show(100 * c.moved, 3)}\u00a0%, that of ${c.moved_most}; `,
      `${show(100 * c.limit, 2)}\u00a0% counts as stable. `, c.is_enough && c.settled_from < report.records.used ? `${count(c.settled_from)} records would have done.` : ""), figure);
  plot(figure, "thresholds against the number of records", (width) => {
    const box = { left: 52, right: width - 16, top: 12, bottom: 190 }, last = c.records[c.records.length - 1];
    const lines = c.values.map((v) => ({ name: v.name, points: v.thresholds.map((t, i) => [c.records[i], t / v.thresholds[v.thresholds.length - 1]]).filter(([, t]) => t > 0) }));
    const far = Math.min(1, Math.max(0.05, ...lines.flatMap((l) => l.points.map(([, t]) => Math.abs(t - 1)))));
    const x = linear(0, last, box.left, box.right), limited = linear(1 - far, 1 + far, box.bottom, box.top);
    const y = (t) => Math.max(box.top, limited(t));
    const draw = (l, name) => line(l.points.map(([n, t]) => [x(n), y(t)]), { class: name });
    return {
      height: 228,
      parts: [
        axes(box, x, ticks(0, last, width < 500 ? 3 : 8), y, ticks(1 - far, 1 + far, 4), { x: "records", xTick: count, yTick: (t) => fixed(100 * t, 0) + " %" }),
        lines.filter((l) => l.name !== c.moved_most).map((l) => draw(l, "muted")),
        lines.filter((l) => l.name === c.moved_most).map((l) => draw(l, "first")),
      ],
    };
  });
}

// ---- the rest ----

function records() {
  section("records", "Records",
    html("p", {}, `${count(report.records.used)} calibration records were used, ${count(report.records.skipped)} skipped.`),
    report.records.bad.length > 0 && html("ul", {}, report.records.bad.map((reason) => html("li", { class: "mono" }, reason))));
}

const stageTitles = { load: "load", measure: "measure", decide: "decide", evaluate: "simulate and evaluate", write: "write" };

function times() {
  if (!run) return;
  const rows = Object.entries(run.seconds).map(([name, seconds]) => ({ name: stageTitles[name] ?? name, seconds }));
  const figure = html("figure", { id: "time-plot" });
  section("time", "Time",
    html("p", { class: "soft" }, `${run.ranks} rank${run.ranks > 1 ? "s" : ""} on ${[...new Set(run.hosts.split(" "))].join(", ")}; seconds of the first one.`), figure);
  plot(figure, "seconds of each stage", (width) => {
    const most = Math.max(...rows.map((r) => r.seconds)), x = linear(0, most, 160, width - 80);
    return {
      height: rows.length * 24 + 4,
      parts: rows.map((r, i) => [
        svg("text", { x: 152, y: i * 24 + 16, "text-anchor": "end" }, r.name),
        svg("rect", { class: "bar", x: 160, y: i * 24 + 4, width: Math.max(1, x(r.seconds) - 160), height: 16, rx: 2 }),
        svg("text", { class: "strong", x: x(r.seconds) + 6, y: i * 24 + 16 }, `${show(r.seconds, 3)} s`),
      ]),
    };
  });
}

// Names within the target's folder; of a folder below it with many files, its name and their number.
function shortNames(t) {
  const names = t.files.map((f) => (f.startsWith(`${t.name}/`) ? f.slice(t.name.length + 1) : f));
  const folder = (f) => f.slice(0, f.lastIndexOf("/") + 1), sizes = new Map();
  for (const f of names) sizes.set(folder(f), (sizes.get(folder(f)) ?? 0) + 1);
  return [...new Set(names.map((f) => (folder(f) && sizes.get(folder(f)) > 4 ? `${folder(f)} (${count(sizes.get(folder(f)))} files)` : f)))];
}

function files() {
  section("files", "Files",
    html("div", { class: "wide" }, html("table", {}, html("tbody", {}, targets.filter((t) => t.files.length > 0).map((t) =>
      html("tr", {}, html("td", { class: "text" }, t.name + "/"), html("td", { class: "text sentence mono" }, shortNames(t).join(", "))))))),
    html("p", { class: "soft" }, `Etalon ${data.version}; fingerprint `, html("span", { class: "mono" }, report.fingerprint)));
}

// Where a reader would look first: what the first target loses most on.
function worst(t) {
  const known = t.layers.filter((l) => l.threshold !== null && l.sqnr_db !== null && l.sqnr_db !== undefined);
  return known.length ? known.reduce((a, b) => (b.sqnr_db < a.sqnr_db ? b : a)).name : (t.layers[0]?.name ?? null);
}

document.querySelector("h1").textContent = report.model;
document.querySelector("header p").textContent = `${planned.length} target${planned.length === 1 ? "" : "s"} from one calibration of ${count(report.records.used)} records`;
accuracy();
if (planned.length) {
  layers();
  value();
}
convergence();
records();
times();
files();
if (planned.length) choose({ target: planned[0].name, value: worst(planned[0]), sort: isEvaluated ? { key: "sqnr_db", down: false } : null });
