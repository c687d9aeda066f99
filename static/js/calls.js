// Rows of calls as they come: put in their place while nobody would be disturbed, else counted and offered.
import { documentOf, tableRow } from "./markup.js";

const KEPT = 200;
const AGAIN = 5_000;

export function liveCalls() {
  const bar = document.querySelector("[data-live-calls]");
  if (!bar) return null;
  const part = (name) => bar.querySelector(`[data-live-${name}]`);
  const rows = document.querySelector("[data-live-rows]");
  let held = [];
  let paused = false;
  let connection = "still";
  let leftOut = 0;
  let again = null;

  // A lost connection is said while paused, too: what waits is then not all that there is.
  const state = () => {
    const name = connection === "on" && paused ? "paused" : connection;
    for (const each of bar.querySelectorAll("[data-live-state]")) each.hidden = each.dataset.liveState !== name;
  };
  const offer = () => {
    part("new").hidden = held.length === 0;
    part("new").querySelector("[data-n]").textContent = held.length;
    bar.querySelector("[data-left-out]").hidden = leftOut === 0;
    bar.querySelector("[data-left-out] [data-n]").textContent = leftOut;
  };
  const put = () => {
    if (!held.length) return offer();
    document.querySelector("[data-live-table]").hidden = false;
    document.querySelector("[data-live-empty]")?.remove();
    for (const row of held) rows.insertBefore(row, [...rows.children].find((each) => id(each) < id(row)) ?? null);
    while (rows.children.length > KEPT) rows.lastElementChild.remove();
    held = [];
    offer();
  };
  const hold = (came, left) => {
    const known = new Set([...rows.children, ...held].map(id));
    held = [...held, ...came.filter((row) => !known.has(id(row)))].sort((one, other) => (id(one) < id(other) ? -1 : 1));
    leftOut += left + Math.max(0, held.length - KEPT);
    held = held.slice(-KEPT);
    if (paused || isRead(rows)) offer();
    else put();
  };
  // What was recorded while there was no stream; where it cannot be read now, it is asked for again.
  const catchUp = async () => {
    clearTimeout(again);
    try {
      hold(await missed(rows), 0);
    } catch {
      again = setTimeout(catchUp, AGAIN);
    }
  };

  part("pause").hidden = false;
  part("newest").hidden = true;
  part("pause").addEventListener("click", () => {
    paused = !paused;
    part("pause").setAttribute("aria-pressed", String(paused));
    state();
  });
  part("new").addEventListener("click", () => {
    put();
    part("pause").focus();
    window.scrollTo({ top: 0 });
  });
  return {
    stream: bar.dataset.liveCalls,
    connected() {
      connection = "on";
      state();
      catchUp();
    },
    lost(why) {
      connection = why;
      state();
    },
    add(html, left) {
      hold(html.map(tableRow), left);
    },
  };
}

// A record's id says when it was made: what is greater is newer.
const id = (row) => row.dataset.id;

// Whoever scrolled down, moved into the list or marked text reads: nothing may move then.
function isRead(rows) {
  const marked = document.getSelection();
  return window.scrollY > 0 || rows.contains(document.activeElement) || rows.querySelector("[data-current]") !== null
    || (marked && !marked.isCollapsed && rows.contains(marked.anchorNode));
}

// The rows that are newer than the oldest here, read from the page itself, and from its older ones while all are new.
async function missed(rows) {
  const known = new Set([...rows.children].map(id));
  const oldest = rows.lastElementChild ? id(rows.lastElementChild) : "";
  const found = [];
  let next = location.href;
  while (next && found.length < KEPT) {
    const answer = await fetch(next);
    if (answer.redirected) return [];
    if (!answer.ok) throw new Error(answer.statusText);
    const page = documentOf(await answer.text());
    const listed = [...page.querySelectorAll("[data-live-rows] tr")];
    const fresh = listed.filter((row) => id(row) > oldest && !known.has(id(row)));
    found.push(...fresh);
    next = fresh.length && fresh.length === listed.length ? page.querySelector("a[rel=next]")?.getAttribute("href") : null;
  }
  return found;
}
