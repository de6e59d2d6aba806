// Ages that count on between refreshes and when the refreshes stop: a number must not look young because its page is dead.

const { age } = await import(`./words.js${new URL(import.meta.url).search}`);

const STANDSTILL_MS = 6000;
let lag = 0; // the server's clock less this machine's, in milliseconds
let heard = Date.now();

// A refresh arrived; `nowMs` is the database's clock where that answered.
export function hear(nowMs) {
  heard = Date.now();
  if (nowMs === null) return;
  lag = nowMs - heard;
  window.csClockLag = lag;
}

// A hidden tab is refreshed seldom, which is not the server's fault.
document.addEventListener("visibilitychange", () => (heard = Date.now()));

function standsStill() {
  return !document.hidden && Date.now() - heard > STANDSTILL_MS;
}

function tick(root) {
  const now = Date.now() + lag;
  for (const box of root.querySelectorAll("[data-since-ms]")) {
    const seconds = (now - Number(box.dataset.sinceMs)) / 1000;
    const text = age(seconds);
    if (box.textContent !== text) box.textContent = text;
    const mark = box.closest("[data-amber-s]");
    if (!mark) continue;
    const level = seconds >= Number(mark.dataset.redS) ? "stale" : seconds >= Number(mark.dataset.amberS) ? "slow" : "live";
    if (mark.dataset.age !== level) mark.dataset.age = level;
  }
  const dead = standsStill();
  if (document.body.classList.contains("cs-standstill") !== dead) document.body.classList.toggle("cs-standstill", dead);
}

export function watchAges(root) {
  const timer = setInterval(() => tick(root), 250);
  return () => clearInterval(timer);
}
