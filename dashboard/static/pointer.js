// The hand on the chart: drag pans, the wheel zooms about the pointer, a double click goes home, and a crosshair reads the bar
// under the pointer off every pane.

const version = new URL(import.meta.url).search;
const { count, geometry, lastX, paneTop, resetView, viewOf } = await import(`./view.js${version}`);
const { words } = await import(`./words.js${version}`);

const FEWEST_BARS = 15;
const NARROW_PX = 560;

function escaped(text) {
  const box = document.createElement("span");
  box.textContent = text;
  return box.innerHTML;
}

function child(parent, name) {
  let found = parent.querySelector(`:scope > .${name}`);
  if (!found) {
    found = document.createElement("div");
    found.className = name;
    parent.appendChild(found);
  }
  return found;
}

export function showReadouts(chart) {
  const { meta } = chart.figure.layout;
  const place = chart.hovered === undefined || chart.hovered >= count(chart) ? count(chart) - 1 : chart.hovered;
  if (place < 0) return;
  const isUp = chart.columns["data.0.close"][place] >= chart.columns["data.0.open"][place];
  const { left, width } = geometry(chart);
  const isNarrow = width < NARROW_PX;
  const lines = child(chart.over, "cs-readouts");
  while (lines.children.length > meta.panes.length) lines.lastChild.remove();
  meta.panes.forEach((pane, k) => {
    const line = lines.children[k] ?? lines.appendChild(document.createElement("div"));
    line.className = "cs-readout";
    line.style.left = `${left + 6}px`;
    line.style.top = `${paneTop(chart, pane.axis) + 3}px`;
    line.style.maxWidth = `${width - 6}px`; // the words stay off the axis
    const spans = [`<b>${escaped(isNarrow ? pane.short : pane.title)}</b>`];
    for (const item of pane.items) {
      const color = item.color === "direction" ? (isUp ? meta.up : meta.down) : item.color;
      if (isNarrow && item.legend) {
        spans.push(`<span style="color:${color}">${item.legend}</span>`); // which line it is; its value has no room
        continue;
      }
      const name = item.name ? `<i>${item.name}</i> ` : "";
      spans.push(`<span>${name}<span style="color:${color}">${words(chart.columns[item.column][place], item.format)}</span></span>`);
    }
    const html = spans.join("");
    if (line.dataset.html !== html) {
      line.dataset.html = html;
      line.innerHTML = html;
    }
  });
}

function showCrosshair(chart, x, y) {
  const cross = child(chart.over, "cs-cross");
  const { left, top, width, height } = geometry(chart);
  const inside = x >= left && x <= left + width && y >= top && y <= top + height;
  cross.hidden = !inside;
  if (!inside) {
    chart.hovered = undefined;
    return;
  }
  const view = viewOf(chart);
  const scale = width / (view.to - view.from);
  const bar = Math.round(view.from + (x - left) / scale);
  chart.hovered = Math.min(Math.max(bar - chart.firstX, 0), count(chart) - 1);
  const centre = left + (chart.firstX + chart.hovered - view.from) * scale;
  const part = 1 - (y - top) / height;
  const pane = chart.figure.layout.meta.panes.find(({ axis }) => {
    const [low, high] = chart.figure.layout[axis].domain;
    return part >= low && part <= high;
  });
  const put = (name, style, text) => {
    const box = child(cross, name);
    Object.assign(box.style, style);
    if (text !== undefined) box.textContent = text;
    return box;
  };
  put("cs-vertical", { left: `${centre}px`, top: `${top}px`, height: `${height}px` });
  put("cs-horizontal", { top: `${y}px`, left: `${left}px`, width: `${width}px` });
  const label = put("cs-time", { top: `${top + height + 3}px` }, chart.columns["layout.meta.bars.full"][chart.hovered]);
  const half = label.offsetWidth / 2;
  label.style.left = `${Math.min(Math.max(centre, left + half), left + width - half)}px`;
  const box = put("cs-price", { top: `${y}px`, left: `${left + width}px` });
  box.hidden = !pane;
  if (!pane) return;
  const { domain, range } = chart.figure.layout[pane.axis];
  const value = range[0] + ((part - domain[0]) / (domain[1] - domain[0])) * (range[1] - range[0]);
  const formats = { yaxis: chart.figure.layout.meta.digits, yaxis2: "amount", yaxis3: 1, yaxis4: chart.figure.layout.meta.digits + 2 };
  box.textContent = words(pane.axis === "yaxis2" ? Math.max(value, 0) : value, formats[pane.axis]);
}

function clamp(chart, view) {
  const span = Math.min(Math.max(view.to - view.from, FEWEST_BARS), Math.max(count(chart) * 1.1, FEWEST_BARS * 2));
  if (span !== view.to - view.from) view.from = view.to - span;
  const most = lastX(chart) + span * 0.7;
  const least = chart.firstX - span * 0.2;
  if (view.to > most) [view.from, view.to] = [most - span, most];
  if (view.from < least) [view.from, view.to] = [least, least + span];
}

export function attachPointer(chart, redraw, wantMore) {
  const { root } = chart;
  let grabbed = null;
  let frame = null;
  const soon = () => {
    frame ??= requestAnimationFrame(() => {
      frame = null;
      if (viewOf(chart).from < chart.firstX + 20) wantMore();
      redraw();
      if (chart.mouse) showCrosshair(chart, ...chart.mouse);
      showReadouts(chart);
    });
  };
  const at = (event) => {
    const box = root.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const handlers = {
    pointerdown(event) {
      if (event.button !== 0) return;
      const view = viewOf(chart);
      grabbed = { x: at(event)[0], from: view.from, to: view.to };
      root.setPointerCapture(event.pointerId);
      root.classList.add("cs-grabbed");
    },
    pointermove(event) {
      chart.mouse = at(event);
      if (grabbed) {
        const view = viewOf(chart);
        const shift = ((grabbed.x - chart.mouse[0]) / geometry(chart).width) * (grabbed.to - grabbed.from);
        [view.from, view.to] = [grabbed.from + shift, grabbed.to + shift];
        clamp(chart, view);
        soon();
      } else {
        showCrosshair(chart, ...chart.mouse);
        showReadouts(chart);
      }
    },
    pointerup() {
      grabbed = null;
      root.classList.remove("cs-grabbed");
    },
    pointerleave() {
      chart.mouse = null;
      showCrosshair(chart, -1, -1);
      showReadouts(chart);
    },
    dblclick() {
      resetView(chart);
      soon();
    },
    wheel(event) {
      event.preventDefault();
      const view = viewOf(chart);
      const { left, width } = geometry(chart);
      const span = view.to - view.from;
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const shift = (event.deltaX / width) * span;
        [view.from, view.to] = [view.from + shift, view.to + shift];
      } else {
        const factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY)) * 0.0022);
        // While the newest bar is in sight zooming keeps it where it is, as one expects of a chart that lives.
        const anchor = view.to >= lastX(chart) ? view.to : view.from + ((at(event)[0] - left) / width) * span;
        view.from = anchor - (anchor - view.from) * factor;
        view.to = anchor + (view.to - anchor) * factor;
      }
      clamp(chart, view);
      soon();
    },
  };
  for (const [name, handler] of Object.entries(handlers)) root.addEventListener(name, handler, { passive: name !== "wheel" });
  return () => {
    for (const [name, handler] of Object.entries(handlers)) root.removeEventListener(name, handler);
  };
}
