// The console: which page is shown, the link to the server, who is signed in.
//
//     #/calls          calls now             #/calls/SID      one of them
//     #/past?find=...  calls that are over   #/past/SID       one of them
//     #/deliveries     what calls have left  #/audit          who did what
//     #/figures        over time

import * as api from "./api.js";
import { Audit } from "./audit.js";
import { Deliveries } from "./deliveries.js";
import { el, put, say, show } from "./dom.js";
import { Feed } from "./feed.js";
import { Figures } from "./figures.js";
import { caller, useCurrency } from "./format.js";
import { dress, help, useKeys } from "./keys.js";
import { LiveCall } from "./live-call.js";
import { LiveCalls } from "./live-calls.js";
import { LiveStore } from "./live-store.js";
import { announce, attempt, callsAsk, empty, entitle, everySecond, note } from "./page.js";
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
const tally = document.querySelector(".tally");
const asks = document.querySelector(".tally.asks");
put(asks, "title", "Calls that ask a human");
const live = new LiveStore();
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
  // The call that was to be followed is not live: go on with the list.
  live.take("CallOver", { call_sid: feed.sid });
  return feed.open(null);
}

function toSignIn() {
  location.replace(new URL(`sign-in${location.hash}`, api.CONSOLE));
}

// --- the link -----------------------------------------------------------------------------------

function linkState(state, at) {
  retryAt = at;
  if (state === "lost") wasLost = true;
  if (state === "live" && wasLost) {
    wasLost = false;
    announce("The link is back. Nothing was missed.");
  }
  put(link, "data-state", wasLost && state !== "live" ? "lost" : state);
  say(link.firstElementChild, wasLost ? "Link lost" : state === "live" ? "Live" : "Connecting");
  drawLost();
}

function drawLost() {
  show(lost, wasLost);
  if (!wasLost) return;
  const seconds = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const when = seconds ? `Trying again in ${seconds} s.` : "Trying again …";
  say(lost.firstElementChild, "The link to the server is lost: what you see is not live. ");
  lost.firstElementChild.append(el("span", { "aria-hidden": "true" }, when));
}

lost.querySelector("button").addEventListener("click", () => feed.retry());
everySecond(drawLost);
live.watch(() => {
  const { size } = live.calls;
  show(tally, size > 0);
  say(tally, String(size));
  const asking = [...live.calls.values()].filter((entry) => entry.question).length;
  show(asks, asking > 0);
  say(asks, String(asking));
  callsAsk(asking);
});

live.watch(() => {
  const { missing } = live;
  const whole = !missing.length;
  if (whole && !part.hidden) announce("All workers answer again: every call is shown.");
  show(part, !whole);
  const [who, them] = missing.length === 1 ? ["Worker", "does"] : ["Workers", "do"];
  say(
    part,
    whole
      ? ""
      : `${who} ${missing.join(", ")} ${them} not answer: calls there are missing here, or shown as they were last.`,
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

/** Keep what a page was asked for in its address, without going anywhere. */
function keeper(name) {
  return (params) => {
    const kept = Object.fromEntries(Object.entries(params).filter(([, value]) => value));
    const query = new URLSearchParams(kept).toString();
    history.replaceState(null, "", `#/${name}${query ? `?${query}` : ""}`);
  };
}

function make({ name, sid, params }) {
  if (name === "calls" && sid) return callPage(sid);
  if (name === "calls") return new LiveCalls({ live });
  if (name === "past" && sid) return new PastCall({ sid, session });
  const common = { params, go: keeper(name) };
  if (name === "past") return new PastCalls(common);
  if (name === "deliveries") return new Deliveries({ ...common, session, now: () => live.now() });
  if (name === "figures") return new Figures(common);
  return new Audit(common);
}

/** The call that the feed is to follow for a page, if there is one. */
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
  entitle(known ? caller(known.caller) : TITLES[wanted.name]);
  if (shown && shown !== location.hash) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    announce(document.title);
  }
  shown = location.hash || "#/calls";
}

// --- the start ----------------------------------------------------------------------------------

dress();
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
  // On a telephone the bar has no room for it.
  help(session && !session.open ? el("button.button", { type: "button", onclick: leave }, "Sign out") : null);
});
useKeys(() => page);

// The feed needs no token: it is asked for at once, and has come when the page is made.
feed.open(watched(address()));
try {
  session = await api.session();
  useCurrency(session.currency ?? "USD");
  say(document.querySelector(".who"), session.open ? "open on this machine" : session.name);
  show(document.querySelector(".sign-out"), !session.open);
  show(document.querySelector("[data-page=audit]"), session.can.includes("audit"));
  addEventListener("hashchange", navigate);
  navigate();
} catch (error) {
  if (error.status === 401) toSignIn();
  else main.replaceChildren(empty("The console cannot be shown", error.message));
}
