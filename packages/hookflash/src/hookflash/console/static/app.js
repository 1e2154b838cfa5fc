// The console: the page that is shown, the connection to the server, and who is signed in.
//
//     #/calls          calls now             #/calls/SID      one of them
//     #/past?find=...  ended calls           #/past/SID       one of them
//     #/deliveries     deliveries            #/audit          the audit trail
//     #/figures        figures over time

import { Alerts } from "./alerts.js";
import * as api from "./api.js";
import { Audit } from "./audit.js";
import { Deliveries } from "./deliveries.js";
import { el, put, setText, show } from "./dom.js";
import { Feed } from "./feed.js";
import { Figures } from "./figures.js";
import { caller, useCurrency } from "./format.js";
import { applyTheme, help, useKeys } from "./keys.js";
import { LiveCall } from "./live-call.js";
import { LiveCalls } from "./live-calls.js";
import { LiveStore } from "./live-store.js";
import { announce, attempt, empty, everySecond, note, setQuestionCount, setTitle } from "./page.js";
import { PastCall } from "./past-call.js";
import { PastCalls } from "./past-calls.js";

const TITLES = {
  calls: "Calls now",
  past: "Past calls",
  deliveries: "Deliveries",
  figures: "Figures",
  audit: "Audit",
};

const main = document.querySelector("main");
const link = document.querySelector(".link");
const lost = document.querySelector(".lost");
const part = document.querySelector(".part");
const callCount = document.querySelector(".tally");
const questionCount = document.querySelector(".tally.asks");
put(questionCount, "title", "Calls with a question for a human");
const live = new LiveStore();
const alerts = new Alerts(live);
let session = null;
let page = null;
let shown = "";
let retryAt = null;
let wasLost = false;

const feed = new Feed({
  onMessage: (type, message) => live.take(type, message),
  onState: linkState,
  onRefused,
});

function onRefused(error) {
  if (error.status === 401) return toSignIn();
  if (error.status !== 404 || !feed.sid) return note(error.message, { failed: true });
  // The call is not live: follow the list only.
  live.take("CallUnknown", { call_sid: feed.sid });
  return feed.open(null);
}

function toSignIn() {
  location.replace(new URL(`sign-in${location.hash}`, api.CONSOLE));
}

// --- the connection -----------------------------------------------------------------------------------

function linkState(state, at, error) {
  retryAt = at;
  if (state === "lost") {
    wasLost = true;
    live.freeze(error?.message ?? "The connection was closed.");
  }
  if (state === "live" && wasLost) {
    wasLost = false;
    live.thaw();
    page?.reload?.();
    announce("Connected again. Nothing was missed.");
  }
  put(document.body, "data-lost", wasLost);
  put(link, "data-state", wasLost && state !== "live" ? "lost" : state);
  setText(link.firstElementChild, wasLost ? "Disconnected" : state === "live" ? "Live" : "Connecting");
  drawLostBar();
}

function drawLostBar() {
  show(lost, wasLost);
  if (!wasLost) return;
  const seconds = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const when = seconds ? `Next attempt in ${seconds} s.` : "Connecting …";
  const what = live.loaded
    ? "The connection to the server is lost. This page stands still. "
    : "The server cannot be reached. ";
  setText(lost.firstElementChild, what);
  lost.firstElementChild.append(el("span", { "aria-hidden": "true" }, when));
}

lost.querySelector("button").addEventListener("click", () => feed.retry());
everySecond(drawLostBar);
live.watch(() => {
  const { size } = live.calls;
  show(callCount, size > 0);
  setText(callCount, String(size));
  const asking = [...live.calls.values()].filter((entry) => entry.question).length;
  show(questionCount, asking > 0);
  setText(questionCount, String(asking));
  setQuestionCount(asking);
});

live.watch(() => {
  const { missing } = live;
  const whole = !missing.length;
  if (whole && !part.hidden) announce("All workers answer again. Every call is shown.");
  show(part, !whole);
  const names = missing.join(", ");
  setText(
    part,
    whole
      ? ""
      : missing.length === 1
        ? `Worker ${names} does not answer. Its calls are missing, or shown as last known.`
        : `Workers ${names} do not answer. Their calls are missing, or shown as last known.`,
  );
});

// --- pages --------------------------------------------------------------------------------------

function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, sid] = path.split("/");
  return {
    name: TITLES[name] ? name : "calls",
    sid: sid ? decodeURIComponent(sid) : null,
    params: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** Return a function that writes a page's parameters to the address without leaving the page. */
function addressSetter(name) {
  return (params) => {
    const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value));
    const query = new URLSearchParams(given).toString();
    history.replaceState(null, "", `#/${name}${query ? `?${query}` : ""}`);
  };
}

function make({ name, sid, params }) {
  if (name === "calls" && sid) return callPage(sid);
  if (name === "calls") return new LiveCalls({ live, retry: () => feed.retry() });
  if (name === "past" && sid) return new PastCall({ sid, session });
  const common = { params, go: addressSetter(name) };
  if (name === "past") return new PastCalls(common);
  if (name === "deliveries") return new Deliveries({ ...common, session, now: () => live.now() });
  if (name === "figures") return new Figures(common);
  return new Audit(common);
}

/** Return the SID of the call that the feed follows for this page, or null. */
const watched = ({ name, sid }) => (name === "calls" ? sid : null);

function callPage(sid) {
  if (sid !== feed.sid) live.forget();
  const view = new LiveCall({ live, session, sid, back: "#/calls" });
  const node = el("div.page", {}, view.node);
  return { node, close: () => view.close() };
}

function navigate() {
  const wanted = address();
  page?.close();
  page = make(wanted);
  main.replaceChildren(page.node);
  feed.open(watched(wanted));
  document
    .querySelectorAll("nav [data-page]")
    .forEach((one) => put(one, "aria-current", one.dataset.page === wanted.name ? "page" : null));
  const known = wanted.sid && live.calls.get(wanted.sid);
  setTitle(known ? caller(known.caller) : TITLES[wanted.name]);
  if (shown && shown !== location.hash) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    announce(document.title);
  }
  shown = location.hash || "#/calls";
}

// --- the start ----------------------------------------------------------------------------------

applyTheme();
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
const leave = () =>
  attempt(async () => {
    await api.signOut();
    toSignIn();
  });
document.querySelector(".sign-out").addEventListener("click", leave);
document.querySelector(".help").addEventListener("click", () => {
  // On a narrow screen the bar has no room for the button.
  help(session && !session.open ? el("button.button", { type: "button", onclick: leave }, "Sign out") : null);
});
document.querySelector(".edit-alerts").addEventListener("click", () => alerts.edit());
main.before(alerts.node);
useKeys(() => page);

// The feed needs no CSRF token, so it is opened before the session is known.
feed.open(watched(address()));
try {
  session = await api.session();
  useCurrency(session.currency ?? "USD");
  setText(document.querySelector(".who"), session.open ? "open on this machine" : session.name);
  show(document.querySelector(".sign-out"), !session.open);
  show(document.querySelector("[data-page=audit]"), session.can.includes("audit"));
  addEventListener("hashchange", navigate);
  navigate();
} catch (error) {
  if (error.status === 401) toSignIn();
  else main.replaceChildren(empty("The console cannot be shown", error.message));
}
