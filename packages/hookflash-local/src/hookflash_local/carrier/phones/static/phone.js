// <hookflash-phone as="caller|human" number="+1..." dials="+1..." name="who answers">: one telephone.
//
// All it shows comes from the stand-in's last word (`shown`); what its owner does is asked of it.

import { h, icon, shownNumber, shownTime } from "./dom.js";
import { activate, addPhone, updateMicrophone } from "./active-phone.js";
import { Link } from "./link.js";
import { askFirst, Speaker, whenBlocked } from "./sound.js";
import { Bell, key as keyTone } from "./tones.js";
import { namedKeys, stateTexts } from "./state-texts.js";

const KEYS = [
  ["1", ""], ["2", "abc"], ["3", "def"],
  ["4", "ghi"], ["5", "jkl"], ["6", "mno"],
  ["7", "pqrs"], ["8", "tuv"], ["9", "wxyz"],
  ["*", ""], ["0", "+"], ["#", ""],
];
const SHORTCUTS = { c: "dial", a: "answer", d: "decline", m: "mute", h: "hold", x: "hang-up" };
const ROLES = { caller: "Caller’s phone", human: "Human’s phone" };
// What a key may be said to do fits below its digit.
const LONGEST_ACTION = 8;

class PhoneElement extends HTMLElement {
  connectedCallback() {
    this.as = this.getAttribute("as") === "human" ? "human" : "caller";
    this.phone = { role: this.as, state: "idle", number: this.getAttribute("number") ?? "", peer: "", said: [], ended: "" };
    this.linkState = "lost";
    this.bell = new Bell();
    this.speaker = new Speaker((level) => this.meter(this.parts.theirs, level));
    this.draw();
    const wish = { role: this.as, number: this.getAttribute("number") ?? "" };
    const address = new URL("../phones", import.meta.url);
    address.protocol = address.protocol.replace("http", "ws");
    this.link = new Link(address, wish, `hookflash.phone.${this.as}.${wish.number}`, {
      shown: (phone) => this.show(phone),
      frame: (frame) => this.speaker.play(frame),
      refused: (why) => this.problem(why),
      state: (state) => this.linked(state),
    });
    setInterval(() => this.tick(), 250);
    addPhone(this);
  }

  // --- what its owner does ---------------------------------------------------------------------

  ask(kind, more) {
    this.problem("");
    if (kind !== "mute" && kind !== "hold" && kind !== "hang-up") activate(this);
    this.link.ask(kind, more);
  }

  does(kind) {
    const button = this.parts.actions[kind];
    if (button.hidden || button.disabled) return false;
    if (kind === "dial") this.begins("dial", { to: this.getAttribute("dials") ?? "" });
    else if (kind === "answer") this.begins("answer");
    else if (kind === "mute") this.ask("mute", { on: !this.phone.muted });
    else if (kind === "hold") this.ask("hold", { on: !this.phone.held });
    else this.ask(kind);
    return true;
  }

  async begins(kind, more) {
    activate(this);
    const button = this.parts.actions[kind];
    button.disabled = true;
    await askFirst();
    button.disabled = false;
    this.ask(kind, more);
  }

  press(digit) {
    if (this.phone.state !== "talking") return;
    keyTone(digit);
    this.ask("press", { key: digit });
    const button = this.parts.keys.get(digit);
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 150);
  }

  typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (this.parts.keys.has(key)) this.press(key);
    else if (!(key.toLowerCase() in SHORTCUTS) || event.repeat || !this.does(SHORTCUTS[key.toLowerCase()])) return;
    event.preventDefault();
  }

  // --- what the hand and the microphone are told -----------------------------------------------

  get wantsMicrophone() {
    const { state, muted, held } = this.phone;
    return this.linkState === "open" && (state === "calling" || state === "talking") && !muted && !held;
  }

  showActive(held, several) {
    this.classList.toggle("in-hand", held);
    this.parts.hand.hidden = !several;
    this.parts.hand.setAttribute("aria-pressed", String(held));
    this.parts.hand.textContent = held ? "In your hand" : "Take it";
    this.speaker.loud(held);
  }

  speak(frame, level) {
    this.link.send(frame);
    this.spoken(level);
  }

  spoken(level) {
    this.meter(this.parts.yours, level);
  }

  cannotSpeak(why) {
    this.link.ask("mute", { on: true });
    this.problem(why);
  }

  // --- what is shown ---------------------------------------------------------------------------

  linked(state) {
    this.linkState = state;
    this.dataset.link = state;
    this.parts.away.hidden = state !== "replaced";
    if (state !== "open") this.bell.ring(null);
    if (state === "lost") this.parts.title.textContent = "Connecting…";
    if (state === "replaced") this.parts.title.textContent = "Open in another window";
    updateMicrophone();
  }

  show(phone) {
    const before = this.phone;
    this.phone = phone;
    this.answeredAt = performance.now() - phone.seconds * 1000;
    this.dataset.state = phone.state;
    this.dataset.connected = String(phone.connected);
    this.dataset.wantsKey = String(phone.wants_key && !phone.connected);
    const { title, detail } = stateTexts(phone, this.getAttribute("name") ?? "");
    this.parts.title.textContent = title;
    this.parts.detail.textContent = detail;
    this.parts.number.textContent = this.place(phone.number);
    this.parts.title.setAttribute("aria-live", phone.state === "ringing" ? "assertive" : "polite");
    this.showSaid(phone);
    this.showActions(phone);
    this.bell.ring({ ringing: "bell", calling: "ringing" }[phone.state] ?? null);
    if (phone.state === "talking") {
      this.speaker.open();
      if (before.state !== "talking") whenBlocked((blocked) => (this.parts.blocked.hidden = !blocked));
    } else {
      this.meter(this.parts.theirs, 0);
      if (phone.state === "idle") this.speaker.close();
    }
    this.tick();
    updateMicrophone();
    this.dispatchEvent(new CustomEvent("phone", { bubbles: true, detail: phone }));
  }

  showSaid(phone) {
    const { said, list } = this.parts;
    said.hidden = phone.said.length === 0;
    while (list.children.length > phone.said.length) list.lastChild.remove();
    phone.said.forEach((text, n) => {
      if (list.children[n]) list.children[n].textContent = text;
      else list.append(h("li", {}, text));
    });
    const named = phone.wants_key ? namedKeys(phone.said) : new Map();
    for (const [digit, button] of this.parts.keys) {
      const does = named.get(digit) ?? "";
      const label = { "*": "star", "#": "hash" }[digit] ?? digit;
      button.disabled = phone.state !== "talking";
      button.classList.toggle("named", named.has(digit));
      button.lastChild.textContent = does && does.length <= LONGEST_ACTION ? does : this.letters.get(digit);
      button.setAttribute("aria-label", does ? `${label} ${does}` : label);
    }
    list.scrollTop = list.scrollHeight;
  }

  /** The number of this phone; of a human's phone also the destination that rings it. */
  place(number) {
    const destination = this.as === "human" ? (this.getAttribute("name") ?? "").replaceAll(/[_-]/g, " ") : "";
    return [destination, shownNumber(number)].filter(Boolean).join(" · ");
  }

  showActions({ state, role, muted, held }) {
    const { actions } = this.parts;
    const focused = this.contains(document.activeElement) ? document.activeElement : null;
    actions.dial.hidden = !(state === "idle" && role === "caller");
    actions.dial.disabled = !this.hasAttribute("dials");
    actions.answer.hidden = actions.decline.hidden = state !== "ringing";
    actions.mute.hidden = actions.hold.hidden = state !== "talking";
    actions["hang-up"].hidden = state !== "calling" && state !== "talking";
    actions.mute.setAttribute("aria-pressed", String(muted));
    actions.mute.replaceChildren(icon(muted ? "microphone-off" : "microphone"), muted ? "Unmute" : "Mute");
    actions.hold.setAttribute("aria-pressed", String(held));
    actions.hold.replaceChildren(icon(held ? "resume" : "hold"), held ? "Take back" : "Hold");
    // A button that goes takes the focus with it; the keyboard stays with this phone.
    if (focused?.hidden) this.focus({ preventScroll: true });
  }

  tick() {
    const { state } = this.phone;
    const { clock } = this.parts;
    clock.textContent = state === "talking" ? shownTime((performance.now() - this.answeredAt) / 1000) : "";
  }

  meter(part, level) {
    part.style.setProperty("--level", level.toFixed(3));
    part.setAttribute("aria-valuenow", String(Math.round(level * 100)));
  }

  problem(text) {
    this.parts.problem.hidden = !text;
    this.parts.problem.textContent = text;
  }

  // --- its parts -------------------------------------------------------------------------------

  draw() {
    const action = (kind, symbol, label, style) =>
      h("button", {
        type: "button", class: `phone-action ${style}`, hidden: true, "data-does": kind,
        "aria-keyshortcuts": keyOf(kind), title: `${label} (${keyOf(kind).toUpperCase()})`,
        onclick: () => this.does(kind),
      }, icon(symbol), label);
    const meter = (label) =>
      h("span", {
        class: "phone-level", role: "meter", "aria-label": label,
        "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0",
      });
    const parts = (this.parts = {
      title: h("p", { class: "phone-title", role: "status" }, "Connecting…"),
      detail: h("p", { class: "phone-detail" }),
      number: h("span", { class: "phone-number" }, this.place(this.phone.number)),
      clock: h("p", { class: "phone-clock", role: "timer" }),
      hand: h("button", { type: "button", class: "phone-hand", hidden: true, onclick: () => activate(this) }),
      theirs: meter("How loud they are"),
      yours: meter("How loud you are"),
      list: h("ol", { "aria-live": "polite", tabindex: "0" }),
      problem: h("p", { class: "phone-problem", role: "alert", hidden: true }),
      blocked: h("p", { class: "phone-problem", role: "alert", hidden: true }, "Click anywhere on this page to hear the call."),
      away: h("button", { type: "button", class: "phone-action plain", hidden: true, onclick: () => this.link.again() }, "Use it here"),
      keys: new Map(),
      actions: {
        dial: action("dial", "call", "Call", "go"),
        answer: action("answer", "call", "Answer", "go"),
        decline: action("decline", "hang-up", "Decline", "stop"),
        mute: action("mute", "microphone", "Mute", "plain"),
        hold: action("hold", "hold", "Hold", "plain"),
        "hang-up": action("hang-up", "hang-up", "Hang up", "stop"),
      },
    });
    this.letters = new Map(KEYS);
    for (const [digit, letters] of KEYS) {
      const press = () => this.press(digit);
      const label = { "*": "star", "#": "hash" }[digit] ?? digit;
      parts.keys.set(digit, h("button", { type: "button", class: "phone-key", "aria-label": label, disabled: true, onclick: press },
        h("span", { class: "phone-digit" }, digit), h("span", { class: "phone-letters", "aria-hidden": "true" }, letters)));
    }
    const hears = this.as === "human" ? "Only you hear this" : "The line says";
    parts.said = h("section", { class: "phone-said", hidden: true, "aria-label": hears },
      h("p", { class: "phone-eyebrow" }, hears), parts.list);
    const bar = (label, level) => h("p", { class: "phone-meter" }, h("span", { "aria-hidden": "true" }, label), level);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", ROLES[this.as]);
    this.setAttribute("tabindex", "0");
    this.addEventListener("keydown", (event) => this.typed(event));
    this.replaceChildren(
      h("header", { class: "phone-head" },
        h("div", {}, h("p", { class: "phone-eyebrow" }, ROLES[this.as]), parts.number), parts.hand),
      h("div", { class: "phone-face" },
        h("div", { class: "phone-disc", "aria-hidden": "true" }, icon(this.as === "caller" ? "call" : "agent")),
        h("div", { class: "phone-texts" }, parts.title, parts.detail, parts.clock),
        h("div", { class: "phone-meters" }, bar("They", parts.theirs), bar("You", parts.yours))),
      // Keys and actions stay where they are: what is said stands below them.
      h("div", { class: "phone-keys", role: "group", "aria-label": "Keypad" }, ...parts.keys.values()),
      h("div", { class: "phone-actions" }, ...Object.values(parts.actions), parts.away),
      parts.said,
      parts.problem, parts.blocked,
    );
  }
}

function keyOf(kind) {
  return Object.keys(SHORTCUTS).find((key) => SHORTCUTS[key] === kind);
}

customElements.define("hookflash-phone", PhoneElement);
