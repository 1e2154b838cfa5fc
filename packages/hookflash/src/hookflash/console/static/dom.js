// Elements, and lists of elements that change in place.
//
// What a caller, a model or a tool wrote is hostile text. So nothing here takes markup: text is set
// as text nodes, and attributes by setAttribute. Styles are set through CSSOM only, because the
// content security policy of the pages allows no inline script or style.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `el("button.quiet", {type: "button", onclick: f}, "Listen")`. */
export function el(kind, props = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  return complete(node, props, children);
}

/** Make an SVG element, in the same way. */
export function svg(kind, props = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElementNS(SVG, tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return complete(node, props, children);
}

function complete(node, props, children) {
  for (const [name, value] of Object.entries(props)) put(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set a property: a listener (`onclick`), a style (`style: {width: "3px"}`) or an attribute. */
export function put(node, name, value) {
  if (name.startsWith("on")) {
    node.addEventListener(name.slice(2), value);
  } else if (name === "style") {
    for (const [property, setting] of Object.entries(value)) node.style.setProperty(property, setting);
  } else if (value === false || value === null || value === undefined) {
    node.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

/** Set the text if it differs: this is cheap for many clocks, and a selection stays. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** A list with one element for each key: created once, then updated, moved and removed. */
export class KeyedList {
  constructor(container, { key, create, update }) {
    this.container = container;
    this.rows = new Map();
    this.key = key;
    this.create = create;
    this.update = update;
  }

  /** Show exactly these items, in this order. */
  set(items) {
    const wanted = new Set();
    let place = this.container.firstElementChild;
    for (const item of items) {
      const key = this.key(item);
      wanted.add(key);
      let row = this.rows.get(key);
      if (!row) {
        row = this.create(item);
        this.rows.set(key, row);
      }
      this.update(row, item);
      if (row.node === place) {
        place = place.nextElementSibling;
      } else {
        this.container.insertBefore(row.node, place);
      }
    }
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        row.node.remove();
        this.rows.delete(key);
      }
    }
  }

  /** Update one item if it is shown. Return whether it is. */
  touch(item) {
    const row = this.rows.get(this.key(item));
    if (row) this.update(row, item);
    return Boolean(row);
  }
}

/** Return a function that calls `work` in the next frame, once for any number of calls. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const run = () => {
      asked = false;
      work();
    };
    // A page in the background gets no frames, and must still be updated.
    if (document.hidden) setTimeout(run, 0);
    else requestAnimationFrame(run);
  };
}

/** Make one of the console's icons. It is decoration, so a text or a label says the same. */
export function icon(name) {
  const shape = svg("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" });
  for (const d of ICONS[name]) shape.append(svg("path", { d }));
  return shape;
}

const ICONS = {
  listen: [
    "M3 10V8a5 5 0 0 1 10 0v2",
    "M3 9.5h1.5v4H3.8A.8.8 0 0 1 3 12.7z",
    "M13 9.5h-1.5v4h.7a.8.8 0 0 0 .8-.8z",
  ],
  hint: ["M8 2a4 4 0 0 0-2.3 7.3c.5.4.8.9.8 1.5v.2h3v-.2c0-.6.3-1.1.8-1.5A4 4 0 0 0 8 2z", "M6.7 13.5h2.6"],
  say: ["M2.5 3.5h11v7.5H7l-3 2.5V11H2.5z"],
  person: ["M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8z", "M3 13.5a5 5 0 0 1 10 0"],
  back: ["M6.5 4 3 7.5 6.5 11", "M3 7.5h6.5a3.5 3.5 0 0 1 0 7H8"],
  hangup: ["M2 9.8c3.3-3 8.7-3 12 0l-1.5 2-2.6-1v-1.7a9 9 0 0 0-3.8 0v1.7l-2.6 1z"],
  tool: ["M10.5 2.5a3.2 3.2 0 0 0-3 4.3L2.8 11.5l1.7 1.7 4.7-4.7a3.2 3.2 0 0 0 4.1-4.1L11.5 6.2 9.8 4.5z"],
  play: ["M5 3.2v9.6L12.5 8z"],
  pause: ["M5 3v10", "M11 3v10"],
  search: ["M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z", "M10.5 10.5l3.2 3.2"],
  bin: ["M3 4.5h10", "M6.5 4.5V3h3v1.5", "M4.5 4.5l.6 8.5h5.8l.6-8.5"],
  left: ["M9.5 3.5 5 8l4.5 4.5"],
  right: ["M6.5 3.5 11 8l-4.5 4.5"],
};
