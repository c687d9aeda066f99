// What changes while somebody looks, over one stream: counts in the navigation, health of servers, rows of calls.
// A hidden page has no stream, for a browser keeps few connections. Words are said at most every fifteen seconds.
import { liveCalls } from "./calls.js";
import { nodes } from "./markup.js";

const QUIET = 15_000;
const AGAIN = 10_000;

export function live() {
  const nav = document.querySelector("[data-stream]");
  if (!nav || !window.EventSource || document.documentElement.dataset.live === "off") return;
  const calls = liveCalls();
  const start = () => open(nav, calls);
  let source = start();
  setInterval(() => {
    if (source?.readyState === EventSource.CLOSED && !document.hidden) source = start();
  }, AGAIN);
  document.addEventListener("visibilitychange", () => {
    source?.close();
    source = document.hidden ? null : start();
  });
}

function open(nav, calls) {
  const health = document.querySelector("[data-health]");
  const url = new URL(calls?.stream ?? nav.dataset.stream, location);
  if (health) url.searchParams.set("health", "1");
  const source = new EventSource(url);
  let greeted = false;
  source.addEventListener("open", () => { greeted = false; });
  source.addEventListener("error", async () => {
    calls?.lost("away");
    if (calls && source.readyState === EventSource.CLOSED && (await hasTooMany(url))) calls.lost("full");
  });
  source.addEventListener("message", (event) => {
    // With the first word the server follows the log: what is not told from here on is in the page.
    if (!greeted) calls?.connected();
    greeted = true;
    const said = JSON.parse(event.data);
    for (const [name, number] of Object.entries(said.counts ?? {})) count(nav, name, number);
    for (const [slug, html] of Object.entries(said.health ?? {})) show(slug, html);
    if (said.calls) calls?.add(said.calls, said.left_out);
  });
  return source;
}

// An EventSource does not say why it was refused.
async function hasTooMany(url) {
  const answer = await fetch(url, { method: "HEAD", headers: { accept: "text/event-stream" } }).catch(() => null);
  return answer?.status === 429;
}

function count(nav, name, number) {
  const link = nav.querySelector(`[data-counts="${name}"]`);
  if (!link) return;
  let shown = link.querySelector(".nav__count");
  const before = shown ? Number.parseInt(shown.firstChild.data, 10) : 0;
  if (before === number) return;
  if (!shown) {
    shown = document.createElement("span");
    shown.className = "nav__count";
    const word = document.createElement("span");
    word.className = "visually-hidden";
    word.textContent = ` ${nav.dataset.open}`;
    shown.append("0", word);
    link.append(shown);
  }
  shown.firstChild.data = number;
  shown.hidden = number === 0;
  say(`${link.querySelector("span").textContent}: ${number} ${nav.dataset.open}`);
}

function show(slug, html) {
  const place = document.querySelector(`[data-health="${CSS.escape(slug)}"]`);
  if (!place) return;
  const before = place.textContent;
  place.replaceChildren(...nodes(html));
  if (place.textContent !== before) say(`${slug}: ${place.textContent.trim()}`);
}

let last = 0;
let waiting = null;

// The newest word only, and not more often than somebody can listen to.
export function say(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    last = Date.now();
    document.querySelector("[data-live-said]").textContent = text;
  }, Math.max(0, last + QUIET - Date.now()));
}
