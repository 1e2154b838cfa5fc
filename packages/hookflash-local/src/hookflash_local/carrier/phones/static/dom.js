// Elements made in one expression, and the icons.

const SVG = "http://www.w3.org/2000/svg";

const HANDSET =
  "M5.2 3.5h2.9l1.7 4.4-2.2 1.5a11.6 11.6 0 0 0 7 7l1.5-2.2 4.4 1.7v2.9a1.7 1.7 0 0 1-1.9 1.7A16.9 16.9 0 0 1 3.5 5.4a1.7 1.7 0 0 1 1.7-1.9z";

const ICONS = {
  call: [HANDSET],
  "hang-up": ["M3 14.6c5.4-5.1 12.6-5.1 18 0l-1.9 2.9-4-1.5v-2.6a12 12 0 0 0-6.2 0V16l-4 1.5z"],
  microphone: ["M12 3.5a2.8 2.8 0 0 1 2.8 2.8v5.2a2.8 2.8 0 0 1-5.6 0V6.3A2.8 2.8 0 0 1 12 3.5z", "M5.8 11.3a6.2 6.2 0 0 0 12.4 0M12 17.5v3"],
  "microphone-off": ["M9.2 6.3a2.8 2.8 0 0 1 5.6 0v4.9M9.2 9.6v1.9a2.8 2.8 0 0 0 4 2.5", "M5.8 11.3a6.2 6.2 0 0 0 9.6 5.2M18.2 11.3c0 .9-.2 1.8-.6 2.6M12 17.5v3M4 4l16 16"],
  hold: ["M9 5.5v13M15 5.5v13"],
  resume: ["M8 5.5v13l10.5-6.5z"],
  window: ["M13.5 5H19v5.5M19 5l-8 8M16 14.5V19H5V8h4.5"],
  agent: ["M4.5 12a7.5 7.5 0 0 1 15 0M4.5 12v3.2a1.8 1.8 0 0 0 1.8 1.8h.9v-5H4.5zM19.5 12v3.2a1.8 1.8 0 0 1-1.8 1.8h-.9v-5h2.7zM17.5 17.2c0 1.7-1.6 2.8-4 2.8"],
};

/** Return an element: `h("button", { class: "key", onclick }, "1")`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "phone-icon");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** +15550100200 as +1 555 010 0200; client:anna as anna. */
export function shownNumber(number) {
  const american = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  if (american) return `+1 ${american[1]} ${american[2]} ${american[3]}`;
  const short = /^\+1(\d{3})(\d{1,4})$/.exec(number);
  if (short) return `+1 ${short[1]} ${short[2]}`;
  return number.replace(/^client:/, "").replace(/^sips?:/, "");
}

export function shownTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
