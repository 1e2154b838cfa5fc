// The sign-in page: a name and a password, and back to where the reader wanted to go.

import { CONSOLE, signIn } from "./api.js";
import { put, say, show } from "./dom.js";

const form = document.querySelector("form");
const wrong = form.querySelector(".wrong");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, password } = Object.fromEntries(new FormData(form));
  put(button, "disabled", true);
  show(wrong, false);
  try {
    await signIn(name, password);
    // What follows `#` is the page that was asked for; it never leaves this console.
    location.replace(new URL(location.hash, CONSOLE));
  } catch (error) {
    say(wrong, error.message);
    show(wrong, true);
    form.elements.password.select();
  } finally {
    put(button, "disabled", false);
  }
});
