// All that a refresh shows, put on the screen in one go: the browser paints between two refreshes and never within one, so the
// price above the chart, its newest candle and the watch list are always of the same moment.

const version = new URL(import.meta.url).search;
const { show: showStrip } = await import(`./strip.js${version}`);
const { show: showChart } = await import(`./chart.js${version}`);
const { hear } = await import(`./ages.js${version}`);

const screens = new WeakMap();

function create(parent) {
  const root = document.createElement("div");
  root.className = "cs-screen";
  root.innerHTML =
    '<div class="cs-top"></div><div class="cs-body"><div class="cs-middle"><div></div><div></div></div><div class="cs-side"></div></div>';
  parent.appendChild(root);
  const [empty, plot] = root.querySelector(".cs-middle").children;
  const screen = { top: root.querySelector(".cs-top"), side: root.querySelector(".cs-side"), empty, plot };
  screens.set(parent, screen);
  return screen;
}

export default function render({ data, parentElement, setStateValue, setTriggerValue }) {
  const screen = screens.get(parentElement) ?? create(parentElement);
  document.body.classList.toggle("cs-light", data.theme === "light");
  document.body.classList.toggle("cs-old", data.is_old);
  if (data.title && document.title !== data.title) document.title = data.title;
  hear(data.now_ms);
  screen.plot.hidden = !data.chart;
  screen.empty.hidden = Boolean(data.chart);
  const leave = [
    showStrip(screen.top, data.quote, setTriggerValue),
    showStrip(screen.empty, data.empty, setTriggerValue),
    showStrip(screen.side, data.rail, setTriggerValue),
  ];
  // Last, for the chart is as high as the words above it leave it.
  if (data.chart) leave.push(showChart(screen.plot, data.chart, data.plotly, setStateValue));
  return () => leave.forEach((each) => each());
}
