// The sign-in page. After signing in, the reader gets the page that they asked for.

import { CONSOLE, signIn } from "./api.js";
import { put, setText, show } from "./dom.js";

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
    // The hash is the requested page of this console.
    location.replace(new URL(location.hash, CONSOLE));
  } catch (error) {
    setText(wrong, error.message);
    show(wrong, true);
    form.elements.password.select();
  } finally {
    put(button, "disabled", false);
  }
});
