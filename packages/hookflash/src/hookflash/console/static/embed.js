// The view of a live call for other pages.
//
//     import { showCall } from "/console/static/embed.js";
//     const view = await showCall(element, { callSid });     // without callSid: the newest call
//     view.close();
//
// `--call-height` sets the height of the view; the default is that of the window, less a bar. Missing
// style sheets are added before those of the page.

import { CONSOLE, session as signedIn } from "./api.js";
import { LiveCall } from "./live-call.js";
import { el } from "./dom.js";
import { Feed } from "./feed.js";
import { useCurrency } from "./format.js";
import { LiveStore } from "./live-store.js";
import { empty } from "./page.js";

const STYLES = ["tokens", "base", "live-calls", "call", "notices", "transcript", "timeline"];

/** Add the missing style sheets. Resolves when they are loaded. */
function addStyleSheets() {
  const there = new Set([...document.styleSheets].map((sheet) => sheet.href));
  const wanted = STYLES.map((name) => new URL(`css/${name}.css`, import.meta.url).href);
  const links = wanted
    .filter((href) => !there.has(href))
    .map((href) => el("link", { rel: "stylesheet", href }));
  const loaded = links.map((link) => new Promise((resolve) => (link.onload = link.onerror = resolve)));
  document.head.prepend(...links);
  return Promise.all(loaded);
}

/**
 * Show a live call in `element`; it stays when it is over. Without `callSid` the newest call is shown,
 * and the next one after its end. `onCall(sid)` is called for each shown call, `onState` when the
 * state of the connection changes. Rejects with `Refused` if nobody is signed in.
 */
export async function showCall(
  element,
  { callSid = null, waiting = "No call yet.", onCall = () => {}, onState = () => {} } = {},
) {
  const [session] = await Promise.all([signedIn(), addStyleSheets()]);
  useCurrency(session.currency ?? "USD");
  const live = new LiveStore();
  const feed = new Feed({ onMessage: (type, message) => live.take(type, message), onState });
  let view = null;
  let shown = null;
  const over = new Set();

  function open(sid) {
    view?.close();
    shown = sid;
    live.forget();
    view = new LiveCall({ live, session, sid, home: CONSOLE });
    element.replaceChildren(view.node);
    feed.open(sid);
    onCall(sid);
  }

  function newest() {
    const calls = [...live.calls.values()].sort((a, b) => b.arrived_at - a.arrived_at);
    return calls.find((entry) => !over.has(entry.call_sid))?.call_sid ?? null;
  }

  const end = live.watch(() => {
    if (live.over) over.add(live.over);
    if (callSid || (shown && live.over !== shown && live.calls.has(shown))) return;
    const next = newest();
    if (next && next !== shown) open(next);
  });
  if (callSid) {
    open(callSid);
  } else {
    element.replaceChildren(empty(waiting, ""));
    feed.open(null);
  }
  return {
    close() {
      end();
      view?.close();
      feed.close();
    },
  };
}
