// One phone in a window of its own: ?as=caller, or ?as=human&number=+1...

import { h } from "./dom.js";
import "./phone.js";

const asked = new URLSearchParams(location.search);
const offer = await (await fetch(new URL("../offer.json", import.meta.url))).json();
const role = asked.get("as") === "human" ? "human" : "caller";
const number = asked.get("number")?.replace(/^ /, "+") ?? (role === "human" ? offer.humans[0]?.number : "");
const destination = offer.humans.find((one) => one.number === number)?.name ?? "";
const name = role === "human" ? destination : offer.agent;
const phone = h("hookflash-phone", { as: role, number, name, dials: offer.lines[0] });

phone.addEventListener("phone", ({ detail }) => {
  const rings = { ringing: "Ringing", talking: "On a call", calling: "Calling" }[detail.state];
  document.title = `${rings ? `${rings} - ` : ""}${role === "human" ? "Human’s phone" : "Caller’s phone"}`;
});
document.getElementById("phone").append(phone);
phone.focus();
