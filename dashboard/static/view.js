// From the columns and the zoom to the picture: only the bars in sight are handed to Plotly, each pane is scaled to them, and
// the time axis gets as many labels as fit.

const { amount, words } = await import(`./words.js${new URL(import.meta.url).search}`);

const TICK_GAP_PX = 26;
const PRICE_GAP_PX = 52;
const HIGH_RANK = 6; // dashboard/ticks.py: a week, a session, a month, a year
const BOUNDARIES = [7, 8, 9]; // a session, a month, a year: what may get a line through all panes
const BARS_A_LINE = 5;
const CHAR_PX = 6.7;
const TWO_TICKS_PX = 64;
const AIR_PX = 4;
const MOST_CLEAR = 0.5;
const WATERMARK_WIDTHS = 6.8; // SIMULATED is so many times as wide as its letters are high

export function viewOf(chart) {
  const { view, shown, room } = chart.figure.layout.meta;
  let found = chart.views.get(view);
  if (!found) {
    found = { from: lastX(chart) - shown + 0.5, to: lastX(chart) + room, last: lastX(chart) };
    chart.views.set(view, found);
  }
  return found;
}

export function resetView(chart) {
  chart.views.delete(chart.figure.layout.meta.view);
}

export function count(chart) {
  return chart.columns["data.0.open"].length;
}

export function lastX(chart) {
  return chart.firstX + count(chart) - 1;
}

// A screen that showed the newest bar goes on showing it when another begins; one that looked back stays where it was.
function follow(chart) {
  const view = viewOf(chart);
  const last = lastX(chart);
  if (last !== view.last) {
    if (view.to >= view.last) {
      view.from += last - view.last;
      view.to += last - view.last;
    }
    view.last = last;
  }
  return view;
}

function extent(chart, paths, from, to, start) {
  let [low, high] = start;
  for (const path of paths) {
    const values = chart.columns[path];
    for (let k = from; k < to; k++) {
      const value = values[k];
      if (value === null || value === undefined) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

// How many pixels of each pane its words take, measured where they stand. The most that was seen counts, lest the scale jump with
// a digit; another width or other panes begin anew.
export function keepClear(chart) {
  const { panes } = chart.figure.layout.meta;
  const of = `${chart.root.clientWidth} ${panes.map(({ title, items }) => `${title} ${items.length}`)}`;
  if (chart.clearOf !== of) [chart.clearOf, chart.clear] = [of, {}];
  panes.forEach(({ axis }, k) => {
    const line = chart.over.querySelector(".cs-readouts").children[k];
    chart.clear[axis] = Math.max(chart.clear[axis] ?? 0, line.offsetTop + line.offsetHeight - paneTop(chart, axis) + AIR_PX);
  });
}

// The top of a range that leaves a pane's words clear of what is drawn from `low` to `high`.
function clearTop(chart, axis, low, high) {
  const [bottom, top] = chart.figure.layout[axis].domain ?? [0, 1]; // no volume, no pane
  const part = Math.min((chart.clear[axis] ?? 0) / (geometry(chart).height * (top - bottom)), MOST_CLEAR);
  return high + ((high - low) * part) / (1 - part);
}

function ranges(chart, from, to) {
  const layout = chart.figure.layout;
  const none = [Infinity, -Infinity];
  const [low, high] = extent(chart, ["data.0.low", "data.0.high"], from, to, none);
  if (low <= high) {
    const air = (high - low || high * 0.002) * 0.06;
    layout.yaxis.range = [low - air, clearTop(chart, "yaxis", low - air, high + air / 2)];
  }
  const [, most] = extent(chart, ["data.6.y"], from, to, [0, 0]);
  layout.yaxis2.range = [0, clearTop(chart, "yaxis2", 0, most || 1)];
  const [bottom, top] = layout.yaxis2.domain ?? [0, 1];
  const ticks = volumeTicks(most || 1);
  layout.yaxis2.tickvals = geometry(chart).height * (top - bottom) < TWO_TICKS_PX ? ticks.slice(1) : ticks;
  layout.yaxis2.ticktext = layout.yaxis2.tickvals.map((value) => amount(value).replace(/\.0+(?=[A-Z])/, ""));
  const [down, up] = extent(chart, ["data.8.y", "data.9.y", "data.10.y"], from, to, [0, 0]);
  const pad = (up - down || 1) * 0.1;
  layout.yaxis4.range = [down - pad, clearTop(chart, "yaxis4", down - pad, up || down + 1)];
}

// Levels of labels from the highest rank down, for as long as a whole level fits: labels at an even pace read best. Sessions,
// months and years are always there, thinned if they must be.
function axisLabels(chart, view, from, to, width) {
  const rank = chart.columns["layout.meta.bars.rank"];
  const tick = chart.columns["layout.meta.bars.tick"];
  const scale = width / (view.to - view.from);
  const place = (k) => {
    const centre = (chart.firstX + k - view.from) * scale;
    const half = (tick[k].length * CHAR_PX + TICK_GAP_PX) / 2;
    return { k, low: centre - half, high: centre + half };
  };
  const levels = new Map();
  for (let k = from; k < to; k++) {
    const one = place(k);
    if (one.low < 0 || one.high > width) continue;
    if (!levels.has(rank[k])) levels.set(rank[k], []);
    levels.get(rank[k]).push(one);
  }
  const taken = [];
  let pace = [];
  for (const level of [...levels.keys()].sort((a, b) => b - a)) {
    const free = levels.get(level).filter((one) => taken.every((other) => one.low >= other.high || one.high <= other.low));
    if (level >= HIGH_RANK) {
      let edge = -Infinity;
      for (const one of free) {
        if (one.low < edge) continue;
        edge = one.high;
        taken.push(one);
      }
      continue;
    }
    pace = [...pace, ...levels.get(level)].sort((a, b) => a.k - b.k);
    const gaps = pace.slice(1).map((one, i) => one.low - pace[i].high).sort((a, b) => a - b);
    if (gaps.length && gaps[Math.floor(gaps.length / 2)] < 0 && taken.length) break;
    let edge = -Infinity;
    for (const one of free) {
      if (one.low < edge) continue;
      edge = one.high;
      taken.push(one);
    }
  }
  return taken.map((one) => one.k).sort((a, b) => a - b);
}

// The lowest rank that gets a line: a line for every month would be one at every bar of a monthly chart.
function boundaryRank(rank) {
  const isRare = (level) => rank.filter((one) => one >= level).length * BARS_A_LINE <= rank.length;
  return BOUNDARIES.find(isRare) ?? Infinity;
}

// Round prices, except where the last price's label and its countdown stand.
function priceTicks(chart, last) {
  const { layout } = chart.figure;
  const [low, high] = layout.yaxis.range;
  const [bottom, top] = layout.yaxis.domain;
  const most = Math.max(2, Math.floor((geometry(chart).height * (top - bottom)) / PRICE_GAP_PX));
  const size = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * size).find((value) => (high - low) / value <= most);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
  const isFree = (value) => {
    const below = last === undefined ? Infinity : toY(chart, "yaxis", value) - last;
    return below < -16 || below > 26;
  };
  layout.yaxis.tickvals = ticks;
  layout.yaxis.ticktext = ticks.map((value) => (isFree(value) ? words(value, layout.meta.digits) : ""));
}

function volumeTicks(most) {
  const size = 10 ** Math.floor(Math.log10(most));
  const top = [5, 4, 2, 1].map((n) => n * size).find((value) => value <= most) ?? size;
  return [top / 2, top];
}

export function geometry(chart) {
  const { margin } = chart.figure.layout;
  const width = chart.root.clientWidth - margin.l - margin.r;
  const height = chart.root.clientHeight - margin.t - margin.b;
  return { left: margin.l, top: margin.t, width, height };
}

export function paneTop(chart, axis) {
  const { top, height } = geometry(chart);
  return top + height * (1 - chart.figure.layout[axis].domain[1]);
}

export function toY(chart, axis, value) {
  const { top, height } = geometry(chart);
  const { domain, range } = chart.figure.layout[axis];
  const part = (value - range[0]) / (range[1] - range[0]);
  return top + height * (1 - (domain[0] + part * (domain[1] - domain[0])));
}

export function draw(chart) {
  const { figure } = chart;
  const { layout } = figure;
  const view = follow(chart);
  const { width, top, height } = geometry(chart);
  const from = Math.max(0, Math.floor(view.from - chart.firstX) - 1);
  const to = Math.min(count(chart), Math.ceil(view.to - chart.firstX) + 2);
  const seen = Math.max(0, Math.ceil(view.from - chart.firstX - 0.4));
  ranges(chart, seen, Math.min(to, Math.floor(view.to - chart.firstX + 1.4)));

  const data = figure.data.map((trace) => ({ ...trace }));
  const places = chart.columns["layout.meta.bars.x"].slice(from, to);
  for (const trace of data) if (trace.name !== "forming") trace.x = places;
  for (const [path, values] of Object.entries(chart.columns)) {
    const [kind, place, name] = path.split(".");
    if (kind === "data") data[place][name] = values.slice(from, to);
  }
  for (const [name, column] of [["volume", "direction"], ["histogram", "shade"]]) {
    const trace = data.find((one) => one.name === name);
    const codes = chart.columns[`layout.meta.bars.${column}`].slice(from, to);
    trace.marker = { ...trace.marker, color: codes.map((code) => layout.meta.colors[column][code]) };
  }
  const ticks = axisLabels(chart, view, seen, to, width);
  const rank = chart.columns["layout.meta.bars.rank"];
  const tick = chart.columns["layout.meta.bars.tick"];
  const boundary = boundaryRank(rank.slice(seen, to));
  const lines = [];
  for (let k = seen; k < to; k++) {
    if (rank[k] < boundary) continue;
    const x = chart.firstX + k - 0.5;
    const line = { color: layout.meta.session_line, width: 1, dash: "dot" };
    lines.push({ type: "line", xref: "x", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, layer: "below", line });
  }
  const [low, high] = layout.yaxis.range;
  const within = (y) => y >= low && y <= high;
  const { last } = layout.meta;
  if (last) last.top = toY(chart, "yaxis", Math.min(Math.max(last.y, low), high));
  priceTicks(chart, last?.top);
  const drawn = {
    ...layout,
    width: chart.root.clientWidth,
    height: chart.root.clientHeight,
    xaxis: {
      ...layout.xaxis,
      range: [view.from, view.to],
      // A session's name stands at the line before its first bar.
      tickvals: ticks.map((k) => chart.firstX + k - (rank[k] >= boundary ? 0.5 : 0)),
      ticktext: ticks.map((k) => (rank[k] >= boundary ? `<b>${tick[k]}</b>` : tick[k])),
    },
    shapes: [...lines, ...(layout.shapes ?? []).filter((shape) => shape.name !== "last" || within(shape.y0))],
    annotations: (layout.annotations ?? []).map((mark) => {
      if (mark.name === "last") return { ...mark, y: Math.min(Math.max(mark.y, low), high) };
      if (mark.name !== "watermark") return mark;
      return { ...mark, font: { ...mark.font, size: Math.min(mark.font.size, width / WATERMARK_WIDTHS) } };
    }),
  };
  chart.Plotly.react(chart.plot, data, drawn, { displayModeBar: false, staticPlot: true, responsive: false });
  chart.root.dataset.from = view.from.toFixed(3);
  chart.root.dataset.to = view.to.toFixed(3);
}
