// Requests to the server, and its errors (`docs/reference/console-api.md`).

// The pages may be served under a prefix, so addresses are relative to that of this file.
export const CONSOLE = new URL("..", import.meta.url);
const API = new URL("../../api/", import.meta.url);

/** An error of the server: its `status`, its `code`, and a message for the reader. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let csrf = "";

/** Send a request; send it again with a new CSRF token after a sign-in in another window. */
async function ask(method, url, body) {
  try {
    return await askOnce(method, url, body);
  } catch (error) {
    if (error.code !== "csrf") throw error;
    await session();
    return askOnce(method, url, body);
  }
}

async function askOnce(method, url, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new Refused(0, "unreachable", "The server cannot be reached. Nothing was done.");
  }
  if (!response.ok) throw await refusal(response);
  return response.status === 204 ? null : response.json();
}

export async function refusal(response) {
  try {
    const { code, message } = await response.json();
    return new Refused(response.status, code, message);
  } catch {
    return new Refused(response.status, "unknown", `The server answered ${response.status}.`);
  }
}

function within(base, path, query = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

const call = (sid) => `calls/${encodeURIComponent(sid)}`;
const past = (sid) => `past/${encodeURIComponent(sid)}`;

/** Return who is signed in. Call it first: every change needs its CSRF token. */
export async function session() {
  const found = await askOnce("GET", within(CONSOLE, "session"));
  csrf = found.csrf;
  return found;
}

export const signIn = (name, password) => ask("POST", within(CONSOLE, "sign-in"), { name, password });
export const signOut = () => ask("POST", within(CONSOLE, "sign-out"));
export const act = (sid, action, body = {}) => ask("POST", within(API, `${call(sid)}/${action}`), body);
export const pastCalls = (query) => ask("GET", within(API, "past", query));
export const tableUrl = (query) => within(API, "past.csv", query);
export const exportUrl = (sid, kind) => within(API, `${past(sid)}/${kind}`);
export const voicemailUrl = (id) => within(API, `deliveries/${encodeURIComponent(id)}/recording`);
export const pastCall = (sid) => ask("GET", within(API, past(sid)));
export const deletePast = (sid) => ask("DELETE", within(API, past(sid)));
export const figures = (query) => ask("GET", within(API, "figures", query));
export const audit = (query) => ask("GET", within(API, "audit", query));

export const deliveries = (query) => ask("GET", within(API, "deliveries", query));
export const retryDelivery = (id) =>
  ask("POST", within(API, `deliveries/${encodeURIComponent(id)}/retry`), {});

export const feedUrl = (sid) => within(CONSOLE, "feed", { call: sid });

/** Return the address of the WebSocket with the live audio of a call. */
export function listenUrl(sid) {
  const url = within(CONSOLE, `${call(sid)}/listen`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** Return the address of a recording from its path. */
export const recordingUrl = (path) => new URL(path, CONSOLE);
