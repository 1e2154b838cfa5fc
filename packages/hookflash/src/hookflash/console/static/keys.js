// The keyboard: single keys press what carries them as `data-key`, `?` lists them.
//
// They are silent while somebody writes, and can be switched off: a person who speaks to their
// computer would press them by talking. Appearance is chosen in the same place.

import { el, put } from "./dom.js";

const LISTED = [
  [
    "Everywhere",
    [
      ["1 2 3 4 5", "Calls, past calls, deliveries, figures, audit"],
      ["/", "Search or filter"],
      ["?", "This list"],
    ],
  ],
  [
    "Lists",
    [
      ["j k", "Next, previous call"],
      ["Enter", "Open it"],
    ],
  ],
  [
    "A live call",
    [
      ["l", "Listen"],
      ["h", "Write a hint"],
      ["s", "Write what the agent says"],
      ["t", "Take over"],
      ["o", "Hand off"],
      ["b", "Give back"],
      ["x", "Hang up"],
      ["Esc", "Back to the list"],
    ],
  ],
  [
    "A past call",
    [
      ["Space", "Play, pause"],
      ["← →", "Back, on by 5 s"],
      ["Esc", "Back to the list"],
    ],
  ],
];

const kept = (name, fallback) => {
  try {
    return localStorage.getItem(`hookflash-${name}`) ?? fallback;
  } catch {
    return fallback;
  }
};

const keep = (name, value) => {
  try {
    localStorage.setItem(`hookflash-${name}`, value);
  } catch {
    // A browser that keeps nothing: the choice lasts as long as the page.
  }
};

let on = kept("keys", "on") === "on";

/** Light or dark as chosen; nothing chosen: as the system is. */
export function dress(theme = kept("theme", "")) {
  put(document.documentElement, "data-theme", theme || null);
}

/** Listen to the keyboard; `page()` is the page that is shown, which may take keys of its own. */
export function useKeys(page) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const writing = event.target.closest("input:not([type=range]), textarea, select");
    if (writing) {
      if (event.key === "Escape") writing.blur();
      return;
    }
    if (!on && event.key !== "Escape") return;
    if ((event.key === " " || event.key === "Enter") && event.target.closest("button, a, summary")) return;
    if (press(event.key, page(), event.target)) event.preventDefault();
  });
}

function press(key, page, target) {
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  if (key.startsWith("Arrow") && target.closest("input, [tabindex='0']")) return false;
  if (page?.key?.(key)) return true;
  const wanted = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
  if (!wanted || wanted.disabled || !wanted.checkVisibility()) return false;
  if (wanted.matches("input")) {
    wanted.focus();
    wanted.select();
  } else {
    wanted.click();
  }
  return true;
}

/** Move the focus through the links of the list that is shown. */
function step(by) {
  const links = [...document.querySelectorAll(".calls a, .past tbody a")].filter((one) =>
    one.checkVisibility(),
  );
  const here = links.indexOf(document.activeElement);
  const next = links[here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by];
  next?.focus();
  return Boolean(next);
}

/** The list, with what else belongs to the reader; `signOut` is a button or null. */
export function help(signOut) {
  const theme = el(
    "select.field",
    {
      onchange: () => {
        keep("theme", theme.value);
        dress(theme.value);
      },
    },
    [
      ["", "As the system"],
      ["light", "Light"],
      ["dark", "Dark"],
    ].map(([value, text]) => el("option", { value, selected: kept("theme", "") === value }, text)),
  );
  const keys = el("input", {
    type: "checkbox",
    checked: on,
    onchange: () => {
      on = keys.checked;
      keep("keys", on ? "on" : "off");
    },
  });
  const dialog = el(
    "dialog.help",
    { "aria-labelledby": "help-title", onclose: () => dialog.remove() },
    el(
      "div",
      {},
      el("h2", { id: "help-title" }, "Keyboard and appearance"),
      el(
        "div.groups",
        {},
        LISTED.map(([group, entries]) =>
          el(
            "section",
            {},
            el("h2.eyebrow", {}, group),
            el(
              "dl.shortcuts",
              {},
              entries.flatMap(([names, text]) => [
                el(
                  "dt",
                  {},
                  names.split(" ").map((name) => el("kbd", {}, name)),
                ),
                el("dd", {}, text),
              ]),
            ),
          ),
        ),
      ),
      el("label.check", {}, keys, "Use single keys"),
      el("label", {}, "Appearance", theme),
      el(
        "div.choices",
        {},
        signOut ?? "",
        el("button.button.primary", { type: "button", onclick: () => dialog.close() }, "Close"),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
