// The demo page: caller's phone, the live call, human's phone.
//
// The middle is the console's view of the caller's call. Without a console, it says what to try.

import { h } from "./dom.js";
import "./phone.js";

const offer = await (await fetch(new URL("../offer.json", import.meta.url))).json();
const live = document.getElementById("live");
const callers = document.getElementById("callers");
const humans = document.getElementById("humans");
const LAST_CALL = "hookflash.demo.call";
const NARROW = matchMedia("(max-width: 640px)");

document.querySelector(".demo-what").textContent = offer.agent
  ? `An AI agent answers the phone of ${offer.agent}. Call it on the left; the human it can bring on the line is on the right.`
  : "Your application answers these lines. Call one on the left; its calls ring on the right.";
suggest(offer.say ?? []);
callers.append(h("hookflash-phone", { as: "caller", name: offer.agent, dials: offer.lines[0] }));
humans.append(...offer.humans.map(({ number, name }) => h("hookflash-phone", { as: "human", number, name })));
// On a narrow screen a phone that rings is moved to the top by the style sheet.
document.addEventListener("phone", ({ detail }) => detail.state === "ringing" && NARROW.matches && scrollTo(0, 0));
await showLive();

function suggest(sentences) {
  const place = document.querySelector(".demo-say");
  place.hidden = sentences.length === 0;
  place.append(h("span", { id: "try" }, "Try saying"),
    h("ul", { "aria-labelledby": "try", tabindex: "0" }, ...sentences.map((text) => h("li", {}, `“${text}”`))));
}

/** Show the call of this page's caller, also after a reload; never a call of somebody else. */
async function showLive() {
  live.replaceChildren(guide());
  if (!offer.console) return;
  const module = new URL(offer.console, location.href);
  try {
    const { showCall } = await import(module);
    document.querySelector(".demo-console").hidden = false;
    const place = h("div", { class: "demo-console-view" });
    let view = null;
    let shown = "";
    const show = async (callSid) => {
      if (callSid === shown) return;
      shown = callSid;
      sessionStorage.setItem(LAST_CALL, callSid);
      view?.close();
      live.replaceChildren(place);
      view = await showCall(place, { callSid });
    };
    document.addEventListener("phone", ({ detail }) => {
      if (detail.role === "caller" && detail.call_sid) show(detail.call_sid).catch(problem);
    });
    const known = callers.querySelector("hookflash-phone").phone.call_sid || sessionStorage.getItem(LAST_CALL);
    if (known) await show(known);
  } catch (error) {
    problem(error);
  }
}

function problem(error) {
  live.append(h("p", { class: "demo-note", role: "alert" }, `The live call cannot be shown: ${error.message}`));
}

function guide() {
  const steps = offer.agent ? agentSteps() : applicationSteps();
  return h("div", { class: "demo-guide" },
    h("h1", {}, "Hold a call with yourself"),
    h("ol", {}, ...steps.map(([what, how]) => h("li", {}, h("strong", {}, what), h("span", {}, how)))),
    h("p", { class: "demo-keys" }, "Keys, for the phone in your hand: ",
      ...[["C", "call"], ["A", "answer"], ["D", "decline"], ["M", "mute"], ["H", "hold"], ["X", "hang up"], ["0–9", "keys"]]
        .flatMap(([key, does]) => [h("kbd", {}, key), ` ${does} `])),
  );
}

function agentSteps() {
  return [
    ["Call", `Press Call on the left and speak with ${offer.agent}. Your browser asks for the microphone.`],
    ["Interrupt", "Talk while it talks. It stops, and knows how far you heard it."],
    ["Ask for a human", "The phone on the right rings. Answer it: it comes into your hand, and you hear what the human hears."],
    ["Change hands", "One microphone, two phones: you speak into the one that is in your hand. For two voices, open a phone in another window."],
  ];
}

// Without an agent the lines belong to an application of somebody's own (`hookflash carrier`).
function applicationSteps() {
  return [
    ["Call", "Press Call on the left: your application's TwiML answers. Your browser asks for the microphone."],
    ["Press keys", "The phone shows what Say says, and its keys reach Gather."],
    ["Be called", "When your application calls or dials the number on the right, that phone rings. Answer it: it comes into your hand."],
    ["Change hands", "One microphone, two phones: you speak into the one that is in your hand. For two voices, open a phone in another window."],
  ];
}
