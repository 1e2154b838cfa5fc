// The actions on a live call: buttons, and the field for a hint or for words to say.
//
// The server checks permissions; a button that it would refuse is hidden here. The result of an action
// arrives by the feed.

import { act } from "./api.js";
import { el, icon, put, setText, show } from "./dom.js";
import { label, words } from "./format.js";
import { Listening } from "./listen.js";
import { attempt, note, question } from "./page.js";

const MODES = {
  hint: { name: "Hint", hint: "Only the agent reads this", done: "The agent has your hint." },
  say: { name: "Say", hint: "The agent speaks this to the caller", done: "The agent will say it." },
};
const GONE = new Set(["ended", "ending"]);

export class Actions {
  constructor({ session, sid, call }) {
    this.session = session;
    this.sid = sid;
    this.call = call;
    this.mode = "hint";
    this.hangingUp = false;
    this.listening = new Listening(sid, (state) => this.heard(state));
    this.buttons = {
      listen: this.button("listen", "Listen", "l", () => this.listening.toggle()),
      take: this.button("person", "Take over", "t", () => this.takeOver()),
      handoff: this.button("right", "Hand off …", "o", () => this.handOff()),
      giveback: this.button("back", "Give back", "b", () =>
        this.run("giveback", {}, "The agent gets the caller back."),
      ),
      hangup: this.button("hangup", "Hang up", "x", () => this.hangUp()),
    };
    this.buttons.hangup.classList.add("danger");
    this.level = el("span.level", { "aria-hidden": "true", hidden: true }, el("i"), el("i"));
    this.buttons.listen.append(this.level);
    put(this.buttons.listen, "aria-pressed", "false");
    this.node = el("div.actions", { role: "toolbar", "aria-label": "Actions" }, Object.values(this.buttons));
    this.composer = this.compose();
  }

  close() {
    this.listening.stop();
  }

  may(action) {
    return this.session.can.includes(action);
  }

  button(shape, name, key, work) {
    return el(
      "button.button",
      { type: "button", "data-key": key, title: `${name} (${key})`, onclick: work },
      icon(shape),
      el("span", {}, name),
    );
  }

  compose() {
    this.field = el("input.field", { autocomplete: "off", maxlength: "500" });
    this.send = el("button.button.primary", {}, "Send");
    this.tabs = Object.entries(MODES).map(([mode, { name }]) =>
      el(
        "button.mode",
        {
          type: "button",
          "data-key": mode[0],
          title: `${name} (${mode[0]})`,
          onclick: () => {
            this.choose(mode);
            this.field.focus();
          },
        },
        icon(mode),
        name,
      ),
    );
    const form = el(
      "form.composer",
      {
        onsubmit: async (event) => {
          event.preventDefault();
          const text = this.field.value.trim();
          if (text && (await this.run(this.mode, { text }, MODES[this.mode].done))) this.field.value = "";
        },
      },
      el("div.modes", { role: "group", "aria-label": "What to send" }, this.tabs),
      this.field,
      this.send,
    );
    this.choose("hint", this.tabs);
    return form;
  }

  choose(mode) {
    this.mode = mode;
    Object.keys(MODES).forEach((name, place) => put(this.tabs[place], "aria-pressed", String(name === mode)));
    put(this.field, "placeholder", MODES[mode].hint);
    put(this.field, "aria-label", `${MODES[mode].name}: ${MODES[mode].hint}`);
  }

  update(entry, over) {
    const human = entry.phase === "with a human";
    const handing = Boolean(entry.handoff) && !["idle", "done", "failed"].includes(entry.handoff.state);
    const gone = over || GONE.has(entry.phase);
    if (gone || this.hangingUp) this.showHangUp(over ? "" : "Hanging up …");
    const offer = (name, visible, enabled = true) => {
      show(this.buttons[name], visible);
      put(this.buttons[name], "disabled", gone || this.hangingUp || !enabled);
    };
    offer("listen", this.may("listen"));
    offer("take", this.may("handoff") && !human && this.session.rings, !handing);
    offer("handoff", this.may("handoff") && !human && this.call().destinations.length > 0, !handing);
    offer("giveback", this.may("giveback") && human);
    offer("hangup", this.may("hangup"));
    show(
      this.node,
      Object.values(this.buttons).some((button) => !button.hidden),
    );
    show(this.composer, this.may("hint") && !gone);
    put(this.field, "disabled", human);
    put(this.send, "disabled", human);
    if (human) put(this.field, "placeholder", "The agent is not on the line");
    else this.choose(this.mode);
    if (gone) this.listening.stop();
  }

  run(action, body, done) {
    return attempt(() => act(this.sid, action, body), done);
  }

  answer(id, text) {
    return this.run("answer", { id, text }, "The agent has your answer.");
  }

  takeOver() {
    return this.run(
      "handoff",
      { destination: "me" },
      "Your telephone is about to ring. It says what the caller wants. Press 1 to take the caller.",
    );
  }

  async handOff() {
    const options = this.call().destinations.map((key) => el("option", { value: key }, label(key)));
    const wanted = await question({
      title: "Hand the caller to a human",
      verb: "Hand off",
      fields: [
        { label: "To", field: el("select.field", { name: "destination" }, options) },
        {
          label: "Reason (the human hears it, and what the caller said)",
          field: el("input.field", { name: "reason", maxlength: "200" }),
        },
      ],
    });
    if (wanted) await this.run("handoff", wanted, `Handing off to ${words(wanted.destination)}.`);
  }

  async hangUp() {
    const sure = await question({
      title: "End this call?",
      text: "The agent finishes speaking. Then the call ends.",
      verb: "Hang up",
      danger: true,
    });
    if (!sure) return;
    this.hangingUp = true;
    this.showHangUp("Hanging up …");
    if (await this.run("hangup", {}, "The call is ending.")) return;
    this.hangingUp = false;
    this.showHangUp("");
  }

  /** Show that the call is about to end: the agent finishes its sentence first. */
  showHangUp(text) {
    const { hangup } = this.buttons;
    setText(hangup.querySelector("span"), text || "Hang up");
    put(hangup, "aria-busy", text ? "true" : null);
    if (this.hangingUp) for (const button of Object.values(this.buttons)) put(button, "disabled", true);
    else put(hangup, "disabled", false);
  }

  heard({ state, levels, error }) {
    put(this.buttons.listen, "aria-pressed", String(state !== "off"));
    setText(
      this.buttons.listen.querySelector("span"),
      state === "opening" ? "Connecting …" : state === "on" ? "Listening" : "Listen",
    );
    show(this.level, state === "on");
    levels?.forEach((level, side) => put(this.level.children[side], "style", { "--level": level.toFixed(2) }));
    if (error) note(error, { failed: true });
  }
}
