// Which phone of this page is in the hand: it has the microphone and is the one that is heard.
//
// Two phones on one page share one mouth and one pair of ears. Were both open, they would hear each
// other through the room.

import { microphone } from "./sound.js";

const phones = [];
let held = null;
let speaking = null;

/** Lay a phone on the table; the first is taken into the hand. */
export function lay(phone) {
  phones.push(phone);
  take(held ?? phone);
}

export function take(phone) {
  held = phone;
  for (const each of phones) each.inHand(each === held, phones.length > 1);
  update();
}

/** A phone may have begun or ceased to want the microphone. */
export function update() {
  const speaker = held?.wantsMicrophone ? held : null;
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

// What is typed at nothing in particular is for the phone in the hand.
addEventListener("keydown", (event) => {
  if (event.target === document.body) held?.typed(event);
});
