// From the columns and the zoom to the picture: only the bars in sight are handed to Plotly, each pane is scaled to them, and
// the time axis gets as many labels as fit.

const TICK_GAP_PX = 12;
const CHAR_PX = 6.7;

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

function ranges(chart, from, to) {
  const layout = chart.figure.layout;
  const none = [Infinity, -Infinity];
  const [low, high] = extent(chart, ["data.0.low", "data.0.high"], from, to, none);
  if (low <= high) {
    // The top of the price pane is kept clear for its words.
    const air = (high - low || high * 0.002) * 0.06;
    layout.yaxis.range = [low - air, high + air * 2.4];
  }
  const [, most] = extent(chart, ["data.6.y"], from, to, [0, 0]);
  layout.yaxis2.range = [0, (most || 1) * 1.25];
  const [down, up] = extent(chart, ["data.8.y", "data.9.y", "data.10.y"], from, to, [0, 0]);
  const pad = (up - down || 1) * 0.1;
  layout.yaxis4.range = [down - pad, up + pad * 2.5];
}

function axisLabels(chart, view, from, to, width) {
  const { rank, tick } = chart.columns && {
    rank: chart.columns["layout.meta.bars.rank"],
    tick: chart.columns["layout.meta.bars.tick"],
  };
  const scale = width / (view.to - view.from);
  const byRank = [];
  for (let k = from; k < to; k++) (byRank[rank[k]] ??= []).push(k);
  const taken = [];
  for (let level = byRank.length - 1; level >= 0; level--) {
    const places = byRank[level];
    if (!places) continue;
    // A level is drawn whole or thinned evenly, so that the labels keep their rhythm.
    const fitting = places.filter((k) => {
      const centre = (chart.firstX + k - view.from) * scale;
      const half = (tick[k].length * CHAR_PX) / 2;
      if (centre - half < 0 || centre + half > width) return false;
      return taken.every(([a, b]) => centre - half > b + TICK_GAP_PX || centre + half < a - TICK_GAP_PX);
    });
    const wide = Math.max(...fitting.map((k) => tick[k].length), 0) * CHAR_PX + TICK_GAP_PX * 2;
    const crowded = fitting.some((k, i) => i && (k - fitting[i - 1]) * scale < wide);
    if (crowded && level < 6 && taken.length) break;
    let edge = -Infinity;
    for (const k of fitting) {
      const centre = (chart.firstX + k - view.from) * scale;
      const half = (tick[k].length * CHAR_PX) / 2;
      if (centre - half < edge + TICK_GAP_PX * 2) continue;
      edge = centre + half;
      taken.push([centre - half, centre + half, k]);
    }
    if (crowded) break;
  }
  const places = taken.map((one) => one[2]).sort((a, b) => a - b);
  return places;
}

export function geometry(chart) {
  const { margin } = chart.figure.layout;
  const width = chart.root.clientWidth - margin.l - margin.r;
  const height = chart.root.clientHeight - margin.t - margin.b;
  return { left: margin.l, top: margin.t, width, height };
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

  const data = figure.data.map((trace) => (trace.marker ? { ...trace, marker: { ...trace.marker } } : { ...trace }));
  for (const [path, values] of Object.entries(chart.columns)) {
    const [kind, place, ...rest] = path.split(".");
    if (kind !== "data") continue;
    const slice = values.slice(from, to);
    if (rest.length === 1) data[place][rest[0]] = slice;
    else data[place][rest[0]][rest[1]] = slice;
  }
  const ticks = axisLabels(chart, view, seen, to, width);
  const { rank, tick } = { rank: chart.columns["layout.meta.bars.rank"], tick: chart.columns["layout.meta.bars.tick"] };
  const lines = [];
  for (let k = seen; k < to; k++) {
    if (rank[k] < 7) continue;
    const x = chart.firstX + k - 0.5;
    const line = { color: layout.meta.session_line, width: 1, dash: "dot" };
    lines.push({ type: "line", xref: "x", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, layer: "below", line });
  }
  const [low, high] = layout.yaxis.range;
  const within = (y) => y >= low && y <= high;
  const drawn = {
    ...layout,
    width: chart.root.clientWidth,
    height: chart.root.clientHeight,
    xaxis: {
      ...layout.xaxis,
      range: [view.from, view.to],
      tickvals: ticks.map((k) => chart.firstX + k),
      ticktext: ticks.map((k) => (rank[k] >= 7 ? `<b>${tick[k]}</b>` : tick[k])),
    },
    shapes: [...lines, ...(layout.shapes ?? []).filter((shape) => shape.name !== "last" || within(shape.y0))],
    annotations: (layout.annotations ?? []).map((mark) =>
      mark.name === "last" ? { ...mark, y: Math.min(Math.max(mark.y, low), high) } : mark,
    ),
  };
  if (layout.meta.last) layout.meta.last.top = toY(chart, "yaxis", Math.min(Math.max(layout.meta.last.y, low), high));
  chart.Plotly.react(chart.plot, data, drawn, { displayModeBar: false, staticPlot: true, responsive: false });
  chart.root.dataset.from = view.from.toFixed(3);
  chart.root.dataset.to = view.to.toFixed(3);
}
