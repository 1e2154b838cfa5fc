// The call view for other pages: one live call inside an element of theirs.
//
//     import { showCall } from "/console/static/embed.js";
//     const view = await showCall(element, { callSid });     // or no callSid: the newest call there is
//     view.close();
//
// The page includes the console's style sheets `base`, `calls`, `call`, `notices`, `transcript` and
// `timeline`, and gives the element a height.

import { session as signedIn } from "./api.js";
import { CallView } from "./call.js";
import { Feed } from "./feed.js";
import { useCurrency } from "./format.js";
import { Live } from "./live.js";
import { empty } from "./page.js";

/**
 * Show a live call in `element`, and go on showing it when it is over. Without `callSid` it is the
 * newest one, and the next when that is over. `onCall(sid)` is called with each call shown, `onState`
 * as the link changes. Rejects with `Refused` when nobody is signed in.
 */
export async function showCall(
  element,
  { callSid = null, waiting = "No call yet.", onCall = () => {}, onState = () => {} } = {},
) {
  const session = await signedIn();
  useCurrency(session.currency ?? "USD");
  const live = new Live();
  const feed = new Feed({ onMessage: (type, message) => live.take(type, message), onState });
  let view = null;
  let shown = null;

  function open(sid) {
    view?.close();
    shown = sid;
    live.forget();
    view = new CallView({ live, session, sid });
    element.replaceChildren(view.node);
    feed.open(sid);
    onCall(sid);
  }

  function newest() {
    const calls = [...live.calls.values()].sort((a, b) => b.arrived_at - a.arrived_at);
    return calls.find((entry) => entry.call_sid !== live.over)?.call_sid ?? null;
  }

  const end = live.watch(() => {
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
