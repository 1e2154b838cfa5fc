// Formatting of times, numbers and names.

const NUMBER = new Intl.NumberFormat(undefined);

/** Format a duration as 3:07 or 1:02:09. */
export function clock(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(total / 60) % 60;
  const rest = String(total % 60).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Format a duration for screen readers: "3 min 7 s". */
export function spokenTime(seconds) {
  const total = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(total / 60);
  return minutes ? `${minutes} min ${total % 60} s` : `${total} s`;
}

/** Format a waiting time: 840 ms, 1.6 s, 38 s, 2:10. */
export function wait(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return seconds < 99.5 ? `${Math.round(seconds)} s` : clock(seconds);
}

export function count(number, one, several = `${one}s`) {
  return `${NUMBER.format(number)} ${number === 1 ? one : several}`;
}

export function whole(number) {
  return NUMBER.format(number);
}

let currency = "USD";

/** Set the currency of the prices in the settings. */
export function useCurrency(code) {
  currency = code;
}

/** Format an amount with as many digits as it needs: $0.012, $4.50, $1,569. */
export function money(amount) {
  if (amount === null || amount === undefined) return "–";
  const digits = amount >= 99.5 ? 0 : amount >= 0.0995 || amount === 0 ? 2 : 3;
  return inCurrency(amount, digits);
}

/** Format an amount for an axis. */
export const roundMoney = (amount) => inCurrency(amount, amount > 0 && amount < 1 ? 2 : 0);

function inCurrency(amount, digits) {
  const shown = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
  try {
    return new Intl.NumberFormat(undefined, {
      ...shown,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }).format(amount);
  } catch {
    return `${amount.toFixed(digits)} ${currency}`;
  }
}

export function percent(share) {
  return `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SECOND = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

const MONTH_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const timeOfDay = (at) => TIME.format(at * 1000);
export const secondOfDay = (at) => SECOND.format(at * 1000);
export const fullDate = (at) => `${DATE.format(at * 1000)}, ${SECOND.format(at * 1000)}`;
export const shortDate = (at) => MONTH_DAY.format(at * 1000);
export const shortDay = (at) => DAY.format(at * 1000);

/** Format a day: Today, Yesterday, Thu, 12 Nov, or with the year if it is another one. */
export function day(at, now = Date.now() / 1000) {
  const then = new Date(at * 1000);
  const today = new Date(now * 1000);
  const midnight = new Date(today.getFullYear(), today.getMonth(), today.getDate());
  const days = Math.ceil((midnight - then) / 86_400_000);
  if (days <= 0 && then <= today) return "Today";
  if (days === 1) return "Yesterday";
  return then.getFullYear() === today.getFullYear() ? DAY.format(then) : DATE.format(then);
}

/** Return a name such as "handled_by_agent" or "no-answer" as words. */
export function words(name) {
  return String(name ?? "").replace(/[_-]/g, " ");
}

/** Return a name as words with a capital, for a label. */
export function label(name) {
  const text = words(name);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Format a North American number in groups; return anything else as it is. */
export function caller(address) {
  const text = String(address ?? "").trim();
  if (!text || /^anonymous$/i.test(text)) return "Number withheld";
  const match = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(text);
  return match ? `+1 ${match[1]} ${match[2]} ${match[3]}` : text;
}

/** Return who is on the line with the agent: who called, or after an arrow who was called. */
export function party(entry) {
  return entry.direction === "outbound" ? `→ ${caller(entry.called)}` : caller(entry.caller);
}

/** Return which number of the line a call came to, or was placed from. */
export function lineOf(entry) {
  return entry.direction === "outbound"
    ? `placed from ${caller(entry.caller)}`
    : `called ${caller(entry.called)}`;
}

/** Format JSON on one line; return text that is no JSON as it is. */
export function tidyJson(text) {
  try {
    const value = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
    return Object.entries(value)
      .map(([name, part]) => `${name}: ${typeof part === "string" ? part : JSON.stringify(part)}`)
      .join(", ");
  } catch {
    return String(text ?? "");
  }
}
