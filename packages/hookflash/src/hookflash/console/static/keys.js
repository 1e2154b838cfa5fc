// Keyboard shortcuts, and the dialog that lists them.
//
// A key clicks the element that has it as its `data-key`. Shortcuts do nothing while a field has the
// focus. They can be switched off, because speech input would press them. The dialog also has the
// choice of the colour theme.

import { el, put } from "./dom.js";

const LISTED = [
  [
    "Everywhere",
    [
      ["1 2 3 4 5", "Calls, past calls, deliveries, figures, audit"],
      ["/", "Search or filter"],
      ["?", "Show this list"],
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
      ["← →", "Back or forward by 5 s"],
      ["Esc", "Back to the list"],
    ],
  ],
];

const preference = (name, fallback) => {
  try {
    return localStorage.getItem(`hookflash-${name}`) ?? fallback;
  } catch {
    return fallback;
  }
};

const storePreference = (name, value) => {
  try {
    localStorage.setItem(`hookflash-${name}`, value);
  } catch {
    // This browser stores nothing: the choice lasts as long as the page.
  }
};

let on = preference("keys", "on") === "on";

/** Apply the chosen colour theme; an empty one is that of the system. */
export function applyTheme(theme = preference("theme", "")) {
  put(document.documentElement, "data-theme", theme || null);
}

/** Handle the keyboard. `page()` returns the shown page, which may handle further keys. */
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

/** Move the focus through the links of the shown list. */
function step(by) {
  const links = [...document.querySelectorAll(".calls a, .past tbody a")].filter((one) =>
    one.checkVisibility(),
  );
  const here = links.indexOf(document.activeElement);
  const next = links[here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by];
  next?.focus();
  return Boolean(next);
}

/** Show the dialog with the shortcuts and the theme; `signOut` is a button or null. */
export function help(signOut) {
  const theme = el(
    "select.field",
    {
      onchange: () => {
        storePreference("theme", theme.value);
        applyTheme(theme.value);
      },
    },
    [
      ["", "System"],
      ["light", "Light"],
      ["dark", "Dark"],
    ].map(([value, text]) => el("option", { value, selected: preference("theme", "") === value }, text)),
  );
  const keys = el("input", {
    type: "checkbox",
    checked: on,
    onchange: () => {
      on = keys.checked;
      storePreference("keys", on ? "on" : "off");
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
      el("label.check", {}, keys, "Single-key shortcuts"),
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
