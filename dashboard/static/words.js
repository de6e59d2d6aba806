// Numbers and ages as words, the same as in dashboard/formats.py.

const MINUS = "−";

export function words(value, format) {
  if (value === null || value === undefined) return "–";
  if (format === "amount") return amount(value);
  if (format === "%") return `${value < 0 ? MINUS : "+"}${Math.abs(value).toFixed(2)} %`;
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: format, maximumFractionDigits: format });
  return value < 0 ? MINUS + text : text;
}

export function amount(value) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
    if (value < size) continue;
    const scaled = value / size;
    return scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0) + unit;
  }
  return value.toFixed(0);
}

export function age(seconds) {
  if (seconds < 10) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}
