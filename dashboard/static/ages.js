// Ages that count on between refreshes and when the refreshes stop: a number must not look young because its page is dead.

const STANDSTILL_MS = 6000;
let lag = 0; // the server's clock less this machine's, in milliseconds
let heard = Date.now();

export function hear(nowMs) {
  heard = Date.now();
  lag = nowMs - heard;
  window.csClockLag = lag;
}

export function standsStill() {
  return Date.now() - heard > STANDSTILL_MS;
}

// The same words as dashboard/formats.py.
export function age(seconds) {
  if (seconds < 10) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
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
