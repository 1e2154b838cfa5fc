// Which phone of this page is active: it has the microphone and is the one that is heard.
//
// Two phones on one page share one mouth and one pair of ears. Were both open, they would hear each
// other through the room.

import { microphone } from "./sound.js";

const phones = [];
let active = null;
let speaking = null;

/** Add a phone of this page; the first one is active. */
export function addPhone(phone) {
  phones.push(phone);
  activate(active ?? phone);
}

export function activate(phone) {
  active = phone;
  for (const each of phones) each.showActive(each === active, phones.length > 1);
  updateMicrophone();
}

/** A phone may have begun or ceased to want the microphone. */
export function updateMicrophone() {
  const speaker = active?.wantsMicrophone ? active : null;
  if (speaker === speaking) return;
  speaking = speaker;
  for (const each of phones) each.spoken(0);
  const onFrame = (frame, level) => speaker.speak(frame, level);
  microphone.wanted(speaker && onFrame).catch((error) => {
    if (speaking !== speaker) return;
    speaking = null;
    speaker.cannotSpeak(error.message);
  });
}

// What is typed at nothing in particular is for the active phone. A and D are for the phone that rings,
// whichever phone is active or focused.
addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.target.closest?.("input, textarea, select")) return;
  const ringing = phones.find((each) => each.phone.state === "ringing");
  if (ringing && /^[ad]$/i.test(event.key)) ringing.typed(event);
  else if (event.target === document.body) active?.typed(event);
});
