// What a phone says of itself: its state as a heading and a line below it.

import { shownNumber } from "./dom.js";

const ENDED = {
  over: "The call is over",
  busy: "Busy",
  "no-answer": "No answer",
  failed: "The call failed",
  declined: "Declined",
  missed: "Missed call",
  "answered-elsewhere": "Answered on another phone",
};

/** Return `{ title, detail }` for the state of a phone; `name` is whom it calls. */
export function stateTexts(phone, name) {
  const peer = shownNumber(phone.peer);
  switch (phone.state) {
    case "calling":
      return { title: `Calling ${name || peer}`, detail: peer };
    case "ringing":
      return { title: "A call for you", detail: `from ${peer}` };
    case "talking":
      return { title: talking(phone), detail: phone.role === "caller" && name ? name : peer };
    default:
      return phone.role === "caller"
        ? { title: ENDED[phone.ended] ?? "Ready to call", detail: name }
        : { title: ENDED[phone.ended] ?? "Waiting for a call", detail: "It rings when the agent needs a human" };
  }
}

function talking(phone) {
  if (phone.held) return "On hold";
  if (phone.wants_key && !phone.connected) return "Listen, then press a key";
  if (phone.muted) return "Muted";
  return phone.connected ? "On the line" : "One moment";
}

const SPELLED = { zero: "0", one: "1", two: "2", star: "*", hash: "#" };

/**
 * Which keys the carrier's last words ask for, and what each is said to do:
 * "Press 1 to take the call, or 2 to decline it" is 1 take, 2 decline.
 */
export function namedKeys(said) {
  const asked = /\bpress\b.*/is.exec(said.at(-1) ?? "")?.[0] ?? "";
  const keys = asked.matchAll(
    /(?:\bpress|\bor|,) (?:the )?(?:key )?([0-9*#]|zero|one|two|star|hash)(?![\w])(?: to (\w+))?/gi,
  );
  return new Map([...keys].map(([, key, does]) => [SPELLED[key.toLowerCase()] ?? key, does ?? ""]));
}
