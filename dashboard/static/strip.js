// A piece of the page whose words come from the server and whose elements stay: only text and attributes that differ are
// touched, so that nothing blinks and a link can be clicked in the middle of a refresh. Ages go on counting by themselves.

const { watchAges } = await import(`./ages.js${new URL(import.meta.url).search}`);

const strips = new WeakMap();

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "data-age") old.removeAttribute(name);
  // The seconds of an age belong to the ticking clock.
  if (old.hasAttribute("data-since-ms")) return;
  const [was, is] = [[...old.childNodes], [...fresh.childNodes]];
  is.forEach((node, k) => (was[k] ? morph(was[k], node) : old.appendChild(node)));
  was.slice(is.length).forEach((node) => node.remove());
}

function create(parent) {
  const root = document.createElement("div");
  root.className = "cs-strip";
  parent.appendChild(root);
  const strip = { root };
  strip.onClick = (event) => {
    const link = event.target.closest("a[data-symbol]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    strip.trigger("symbol", link.dataset.symbol);
  };
  root.addEventListener("click", strip.onClick);
  strip.unwatch = watchAges(root);
  strips.set(parent, strip);
  return strip;
}

// Returns what ends it. Streamlit also ends a run that a newer one overtook: then the strip lives on.
export function show(parent, html, trigger) {
  const strip = strips.get(parent) ?? create(parent);
  strip.trigger = trigger;
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = document.createElement("div");
  fresh.className = "cs-strip";
  fresh.appendChild(template.content);
  morph(strip.root, fresh);
  return () => strip.root.isConnected || strip.unwatch();
}
