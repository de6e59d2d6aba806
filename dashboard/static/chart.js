// Holds the chart of one place in the page: takes bases and patches, draws, and confirms the base that it has.
// The element is made once and kept, whatever happens on the server; only numbers change in it.

const version = new URL(import.meta.url).search;
const { draw, keepClear, viewOf } = await import(`./view.js${version}`);
const { attachPointer, showReadouts } = await import(`./pointer.js${version}`);

const charts = new WeakMap();
let library;

export function loadPlotly(url) {
  library ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly);
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = undefined; // the next refresh tries again
      reject(new Error("Plotly.js could not be loaded"));
    };
    document.head.appendChild(script);
  });
  return library;
}

function get(tree, path) {
  return path.split(".").reduce((node, step) => node?.[step], tree);
}

function put(tree, path, value) {
  const steps = path.split(".");
  const leaf = steps.pop();
  steps.reduce((node, step) => (node[step] ??= {}), tree)[leaf] = value;
}

function takeBase(chart, id, base) {
  const { figure, columns, first_x } = base;
  chart.figure = figure;
  chart.columns = Object.fromEntries(columns.map((path) => [path, get(figure, path) ?? []]));
  chart.baseColumns = Object.fromEntries(columns.map((path) => [path, [...chart.columns[path]]]));
  chart.firstX = first_x;
  chart.id = id;
}

function takePatch(chart, { at, columns, set }) {
  // A patch is against the base, not against the patch before: start from the base each time.
  for (const place of chart.patched ?? []) {
    for (const [path, values] of Object.entries(chart.columns)) {
      const known = chart.baseColumns[path];
      if (place < known.length) values[place] = known[place];
      else values.length = Math.min(values.length, Math.max(place, known.length));
    }
  }
  for (const [path, values] of Object.entries(columns)) at.forEach((place, k) => (chart.columns[path][place] = values[k]));
  for (const [path, value] of Object.entries(set)) put(chart.figure, path, value);
  chart.patched = at;
}

function create(parent) {
  const root = document.createElement("div");
  root.className = "cs-chart";
  root.innerHTML = '<div class="cs-plot"></div><div class="cs-over"></div>';
  parent.appendChild(root);
  const chart = { root, plot: root.firstChild, over: root.lastChild, views: new Map(), draws: 0 };
  charts.set(parent, chart);
  return chart;
}

// The chart is as high as the window leaves it. Returns whether that has changed.
function fit(chart) {
  const scrolled = chart.root.closest("[data-testid=stMain]")?.scrollTop ?? 0;
  const top = chart.root.getBoundingClientRect().top + scrolled;
  const height = Math.max(420, Math.floor(window.innerHeight - top - 10));
  if (chart.height === height) return false;
  chart.height = height;
  chart.root.style.height = `${height}px`;
  return true;
}

// Draws a message, at once if Plotly is there. Returns what ends it. Streamlit also ends a run that a newer one overtook: then
// the chart lives on.
export function show(parent, message, plotly, send) {
  const chart = charts.get(parent) ?? create(parent);
  // A base must not be forgotten for the patch that came after it while Plotly was loading.
  const base = message.base ?? (chart.pending?.id === message.id ? chart.pending.base : undefined);
  chart.pending = base ? { ...message, base } : message;
  chart.send = send;
  fit(chart);
  if (chart.Plotly) take(chart);
  else load(chart, plotly);
  return () => {
    if (chart.root.isConnected) return;
    chart.detach?.();
    chart.detach = null;
    if (chart.plot._fullLayout) chart.Plotly.purge(chart.plot);
  };
}

async function load(chart, url) {
  try {
    chart.Plotly = await loadPlotly(url);
  } catch (error) {
    console.warn(error.message);
    return;
  }
  if (chart.root.isConnected) take(chart);
}

function take(chart) {
  const message = chart.pending;
  if (!message) return;
  chart.pending = null;
  if (message.base && message.id !== chart.id) {
    takeBase(chart, message.id, message.base);
    chart.patched = [];
  }
  if (message.id !== chart.id) {
    chart.send("base", `?${message.id}`); // this screen lacks the base that the server believes it has
    return;
  }
  takePatch(chart, message.patch);
  if (!chart.detach) attach(chart);
  if (message.base) chart.send("base", chart.id);
  redraw(chart);
}

function attach(chart) {
  const detach = attachPointer(chart, () => redraw(chart), () => wantMore(chart));
  const observer = new ResizeObserver(() => schedule(chart));
  observer.observe(chart.root);
  const onResize = () => schedule(chart);
  window.addEventListener("resize", onResize);
  // A sentence above pushes the chart down without a word to it.
  const ticker = setInterval(() => (fit(chart) ? redraw(chart) : showCountdown(chart)), 1000);
  chart.detach = () => {
    detach();
    observer.disconnect();
    clearInterval(ticker);
    window.removeEventListener("resize", onResize);
  };
}

function schedule(chart) {
  if (chart.frame) return;
  chart.frame = requestAnimationFrame(() => {
    chart.frame = null;
    redraw(chart);
  });
}

function redraw(chart) {
  // A place that is hidden has no width to draw in.
  if (!chart.figure || !chart.root.clientWidth) return;
  fit(chart);
  showReadouts(chart);
  keepClear(chart);
  draw(chart);
  showCountdown(chart);
  chart.draws += 1;
  chart.root.dataset.draws = chart.draws;
}

function showCountdown(chart) {
  const last = chart.figure?.layout.meta.last;
  const box = chart.over.querySelector(".cs-countdown") ?? chart.over.appendChild(document.createElement("div"));
  box.className = "cs-countdown";
  const left = last && !last.is_closed ? Math.round((last.end_ms - Date.now() - (window.csClockLag ?? 0)) / 1000) : -1;
  const shown = left >= 0 && left < 86400 && last.top !== undefined;
  box.hidden = !shown;
  if (!shown) return;
  const pad = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60), left % 60];
  box.textContent = h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
  box.style.top = `${last.top + 11}px`;
}

function wantMore(chart) {
  const view = viewOf(chart);
  const bars = chart.columns["data.0.open"].length;
  if (view.asked === bars) return;
  view.asked = bars;
  chart.send("want", { view: chart.figure.layout.meta.view, bars: bars * 2 });
}
